//! Who may know whom: the direction of dependencies, pure modules, homes of crates.

use super::code::{modules_named, word_lines};
use super::{Tree, accepts, finds, holds};

/// A module may use those of later lines, never those of its own line or of earlier ones.
const LAYERS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["app"],
    &["config"],
    &["frontend"],
    &["engine", "upstream", "catalog"],
    &["plan", "source", "topology", "access"],
    &["sql"],
    &["event"],
];
/// Free to all but the pure modules.
const FREE: &[&str] = &["telemetry", "shutdown"];
/// Values in, values out: each of their errors means that the input is wrong.
const PURE: &[&str] = &["event", "sql", "plan"];
/// What a pure module has no use for.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "tokio",
    "tracing",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time",
    "fastrand",
    "getrandom",
    "tempfile",
];
/// Crates whose types stay in one place, and that place.
const HOMES: &[(&str, &[&str])] = &[
    ("anyhow", &["src/main.rs"]),
    ("clap", &["src/cli/", "src/main.rs"]),
    ("mysql_async", &["src/source/mysql/", "src/cli/tail.rs"]),
    ("opensrv_mysql", &["src/frontend/mysql/opensrv.rs"]),
    ("rusqlite", &["src/source/sqlite/", "src/catalog/"]),
    ("sqlparser", &["src/sql/"]),
    ("toml", &["src/config.rs", "src/topology/"]),
    ("tracing_subscriber", &["src/telemetry.rs"]),
    // Not crates, but the same rule: one place decides when the process ends.
    ("std::process::exit", &["src/main.rs"]),
    ("process::exit", &["src/main.rs"]),
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn direction(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.rust() {
        let Some(from) = file.module().filter(|module| *module != "lib") else { continue };
        let place = layer(from);
        if place.is_none() && !FREE.contains(&from) {
            faults.push(format!("{}: no layer is decided for module {from}", file.path));
            continue;
        }
        for (line, to) in modules_named(&file.path, &file.product) {
            let free = FREE.contains(&to.as_str()) && !PURE.contains(&from);
            let right = matches!((place, layer(&to)), (Some(from), Some(to)) if from < to);
            let known = layer(&to).is_some() || FREE.contains(&to.as_str());
            if known && to != from && !free && !right {
                faults.push(format!("{}:{line}: {from} may not know {to}", file.path));
            }
        }
    }
    faults
}

fn purity(tree: &Tree) -> Vec<String> {
    let pure =
        tree.rust().filter(|file| file.module().is_some_and(|module| PURE.contains(&module)));
    let mut faults = Vec::new();
    for file in pure {
        for word in IMPURE {
            for line in word_lines(&file.product, word) {
                faults.push(format!("{}:{line}: a pure module has no use for {word}", file.path));
            }
        }
    }
    faults
}

fn homes(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.rust().filter(|file| file.path.starts_with("src/")) {
        for (name, places) in HOMES {
            // A longer path of the list speaks for its own ending.
            if *name == "process::exit" && file.product.contains("std::process::exit") {
                continue;
            }
            if places.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for line in word_lines(&file.product, name) {
                faults.push(format!(
                    "{}:{line}: {name} belongs to {}",
                    file.path,
                    places.join(", ")
                ));
            }
        }
    }
    faults
}

#[test]
fn dependencies_point_one_way() {
    holds(direction);
    finds(
        direction,
        &[("src/plan/mod.rs", "use crate::engine::Log;")],
        "src/plan/mod.rs:1: plan may not know engine",
    );
    finds(
        direction,
        &[("src/plan/a.rs", "use crate::{sql::X,\n source::Y};")],
        "src/plan/a.rs:2: plan may not know source",
    );
    finds(
        direction,
        &[("src/event/a.rs", "fn f() { crate::telemetry::spawn() }")],
        "src/event/a.rs:1: event may not know telemetry",
    );
    finds(
        direction,
        &[("src/engine/mod.rs", "use super::frontend;")],
        "src/engine/mod.rs:1: engine may not know frontend",
    );
    finds(direction, &[("src/misc.rs", "")], "src/misc.rs: no layer is decided for module misc");
    accepts(
        direction,
        &[("src/engine/a.rs", "use crate::{engine::b, plan, telemetry};\n// use crate::app;")],
    );
    accepts(direction, &[("src/sql/a.rs", "#[cfg(test)]\nmod tests { use crate::app; }")]);
}

#[test]
fn pure_modules_do_nothing_but_compute() {
    holds(purity);
    finds(
        purity,
        &[("src/sql/a.rs", "\nasync fn f() {}")],
        "src/sql/a.rs:2: a pure module has no use for async",
    );
    finds(
        purity,
        &[("src/event/a.rs", "use std::time::Instant;")],
        "src/event/a.rs:1: a pure module has no use for std::time",
    );
    accepts(
        purity,
        &[
            ("src/engine/a.rs", "async fn f() {}"),
            ("src/sql/a.rs", "// async\nfn asynchronous() {}"),
        ],
    );
}

#[test]
fn heavy_crates_stay_at_home() {
    holds(homes);
    let text = "use sqlparser::ast::Expr;";
    finds(homes, &[("src/plan/a.rs", text)], "src/plan/a.rs:1: sqlparser belongs to src/sql/");
    finds(
        homes,
        &[("src/app.rs", "fn f() { std::process::exit(1) }")],
        "src/app.rs:1: std::process::exit belongs to src/main.rs",
    );
    accepts(homes, &[("src/sql/a.rs", text), ("src/frontend/a.rs", "//! Not opensrv_mysql.")]);
}
