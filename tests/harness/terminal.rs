//! A real terminal (tmux) with a real client in it.

use std::process::Command;
use std::time::Duration;

/// A tmux server of its own with one window; dropping it ends both.
pub struct Terminal {
    socket: String,
}

impl Terminal {
    /// Runs a shell command in a terminal of 100 columns and 60 lines.
    pub fn run(command: &str) -> Self {
        let socket = format!("vstreamd-{}-{}", std::process::id(), fastrand::u32(..));
        let terminal = Self { socket };
        terminal.tmux(&["new-session", "-d", "-x", "100", "-y", "60", command]);
        terminal
    }

    /// Types a line and Enter.
    pub fn enter(&self, line: &str) {
        // A semicolon at the end of an argument would separate tmux's own commands.
        let line = line.strip_suffix(';').map_or(line.to_owned(), |line| format!("{line}\\;"));
        self.tmux(&["send-keys", "-l", &line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// Presses a key by tmux's name, such as `C-c`.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// What the screen shows and has shown, without blank lines at its end.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-"]).trim_end().to_owned()
    }

    /// Waits until the screen shows `text`; a test that waits in vain fails with the screen.
    pub async fn shows(&self, text: &str) -> String {
        for _ in 0..WAIT_TENTHS_MAX {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{text:?} did not show up on:\n{}", self.screen());
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.socket, "-f", "/dev/null"])
            .args(arguments)
            .output()
            .expect("run tmux; scripts/test installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

/// Bounds a hang only: the machine may be busy.
const WAIT_TENTHS_MAX: u32 = 900;
