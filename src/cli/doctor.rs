//! `vstreamd doctor`: what stands in the way of streaming from each configured server, and what mends
//! it.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{CliError, DoctorArgs};
use crate::config::{Config, Overrides, Tablet};
use crate::source::mysql::{Budget, Examined, MysqlSource, Server};
use crate::source::{Finding, SourceError};
use crate::telemetry;

pub(super) async fn run(args: DoctorArgs) -> Result<(), CliError> {
    let config = Config::load(Some(&args.config), Overrides::default())?;
    let mut examinations = Vec::new();
    for keyspace in &config.keyspaces {
        for shard in &keyspace.shards {
            for tablet in &shard.tablets {
                let url = tablet.url.clone();
                let server = Server::new(&tablet.alias, url, Arc::new(Budget::new(1)));
                let source = MysqlSource::new(server, &keyspace.name);
                // All at once: servers that are away take their time together.
                let task = telemetry::spawn("doctor", async move { source.examine().await });
                examinations.push((title(&keyspace.name, &shard.name, tablet), task));
            }
        }
    }
    if examinations.is_empty() {
        println!(
            "no [[keyspace]] is configured: the embedded store is served, and nothing is in its way"
        );
        return Ok(());
    }
    let (servers, mut unfit) = (examinations.len(), 0);
    for (title, task) in examinations {
        let examined = task.await.map_err(|error| CliError::Client {
            context: format!("examine {title}"),
            source: error.into(),
        })?;
        unfit += usize::from(!is_fit(&examined));
        print!("{}", report(&title, &examined));
    }
    match unfit {
        0 => Ok(()),
        unfit => Err(CliError::Unfit { unfit, servers }),
    }
}

fn title(keyspace: &str, shard: &str, tablet: &Tablet) -> String {
    let (address, database) = (tablet.url.address(), &tablet.url.database);
    format!("{} {} of {keyspace}/{shard}, {address}/{database}", tablet.alias, tablet.tablet_type)
}

fn is_fit(examined: &Result<Examined, SourceError>) -> bool {
    examined.as_ref().is_ok_and(|examined| examined.findings.iter().all(|finding| !finding.fatal))
}

/// What a person reads of one server.
fn report(title: &str, examined: &Result<Examined, SourceError>) -> String {
    let mut text = String::new();
    let mut line = |line: &str| writeln!(text, "{line}").expect("a text can be written to");
    match examined {
        Ok(Examined { version, findings }) => {
            line(&format!("{title}: {version}"));
            for Finding { fatal, what, mend } in findings {
                line(&format!("  {} {what}", if *fatal { "FATAL" } else { "advice" }));
                line(&format!("         {mend}"));
            }
            if findings.is_empty() {
                line("  ok");
            }
        }
        Err(error) => {
            line(title);
            line(&format!("  FATAL {}", telemetry::chain(error)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::ConnectError;

    fn finding(fatal: bool, what: &str) -> Finding {
        Finding { fatal, what: what.to_owned(), mend: "SET x = 1".to_owned() }
    }

    #[test]
    fn a_report_says_what_is_wrong_and_what_mends_it() {
        let examined = |findings| Ok(Examined { version: "9.7.4".to_owned(), findings });
        let good = examined(Vec::new());
        assert!(is_fit(&good));
        assert_eq!(report("zone1-1", &good), "zone1-1: 9.7.4\n  ok\n");
        let advised = examined(vec![finding(false, "b")]);
        assert!(is_fit(&advised));
        let bad = examined(vec![finding(true, "a"), finding(false, "b")]);
        assert!(!is_fit(&bad));
        assert_eq!(
            report("zone1-1", &bad),
            "zone1-1: 9.7.4\n  FATAL a\n         SET x = 1\n  advice b\n         SET x = 1\n"
        );
        let away = Err(ConnectError::Refused { address: "h:1".to_owned() }.into());
        assert!(!is_fit(&away));
        assert_eq!(report("zone1-1", &away), "zone1-1\n  FATAL nothing listens at h:1\n");
    }
}
