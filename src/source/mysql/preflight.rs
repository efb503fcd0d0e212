//! What stands in the way of streaming from a server, and the statement that mends it.

use std::collections::HashMap;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::Flavour;
use super::connect::{Connection, Server};
use super::grants::{Grants, Reach};
use crate::event::collation;
use crate::source::{Finding, SourceError};

/// Looks at everything that streaming needs.
pub async fn examine(
    connection: &mut Connection,
    database: &str,
) -> mysql_async::Result<Vec<Finding>> {
    let flavour = connection.flavour;
    // Grants name the database in lower case, too.
    let folded = connection.folds_names.then(|| collation::lower_name(database));
    let database = folded.as_deref().unwrap_or(database);
    let settings = Settings::read(&mut connection.conn, flavour).await?;
    let grants = grants(&mut connection.conn, flavour).await?;
    let mut findings = settings.findings();
    findings.extend(privileges(&grants, flavour, database, &connection.account));
    if flavour == Flavour::MariaDb {
        let tables: Vec<String> = connection.conn.query(OLD_TEMPORAL).await?;
        findings.extend(old_temporal(database, &tables));
    }
    // What makes streaming impossible goes first.
    findings.sort_by_key(|finding| !finding.fatal);
    Ok(findings)
}

/// Refuses a server whose settings make reading its changes impossible, or wrong.
pub async fn require_fit(
    conn: &mut Conn,
    flavour: Flavour,
    server: &Server,
) -> Result<(), SourceError> {
    let settings = Settings::read(conn, flavour).await;
    let settings = settings.map_err(|error| server.broken("read the settings", error))?;
    match settings.findings().into_iter().find(|finding| finding.fatal) {
        Some(Finding { what, mend, .. }) => Err(SourceError::Unfit { what, mend }),
        None => Ok(()),
    }
}

/// How long the server keeps its log at least; `None` if for ever.
pub async fn changes_kept(
    conn: &mut Conn,
    flavour: Flavour,
) -> mysql_async::Result<Option<Duration>> {
    Ok(Settings::read(conn, flavour).await?.kept())
}

/// What a server that refuses to send its binary log means by it; `None` if it means something else.
/// Both families answer with 1045, which looks like a wrong password and is none: the login is
/// through.
pub fn refused_log(error: &mysql_async::Error, account: &str) -> Option<SourceError> {
    match error {
        mysql_async::Error::Server(said) if matches!(said.code, 1045 | 1227) => {
            Some(SourceError::Privilege {
                account: account.to_owned(),
                privilege: REPLICATION,
                mend: grant(REPLICATION, "*.*", account),
            })
        }
        _ => None,
    }
}

/// The user may not lock the tables of this database.
pub fn lock_denied(database: &str, account: &str) -> SourceError {
    SourceError::Privilege {
        account: account.to_owned(),
        privilege: LOCK,
        mend: grant(LOCK, &everything_in(database), account),
    }
}

/// The server's variables that matter here, by name.
#[derive(Debug)]
struct Settings {
    flavour: Flavour,
    values: HashMap<String, String>,
}

impl Settings {
    async fn read(conn: &mut Conn, flavour: Flavour) -> mysql_async::Result<Self> {
        let names = NAMES.map(|name| format!("'{name}'")).join(", ");
        let query = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})");
        let values: Vec<(String, String)> = conn.query(query).await?;
        Ok(Self { flavour, values: values.into_iter().collect() })
    }

    /// A variable's value; empty if this server has no such variable.
    fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Whether the server has the variable, with another value than this one.
    fn differs(&self, name: &str, wanted: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.eq_ignore_ascii_case(wanted))
    }

    /// A statement that sets a variable for good: MySQL writes it down itself.
    fn set(&self, name: &str, value: &str) -> String {
        match self.flavour {
            Flavour::Mysql => format!("SET PERSIST {name} = {value}"),
            Flavour::MariaDb => {
                format!("SET GLOBAL {name} = {value}, and the same in the server's configuration")
            }
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings = self.missing_log();
        findings.extend(self.gtids());
        findings.extend(self.images());
        findings.extend(self.keeping());
        findings
    }

    fn missing_log(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.differs("log_bin", "ON") {
            findings.push(fatal(
                "the binary log is off: there are no changes to read",
                "set log_bin = binlog in the server's configuration and restart it",
            ));
        }
        if self.get("server_id") == "0" {
            let what = "server_id is 0: the server sends its binary log to nobody";
            findings.push(fatal(what, self.set("server_id", "1")));
        }
        if self.differs("binlog_format", "ROW") {
            let format = self.get("binlog_format");
            let what =
                format!("binlog_format is {format}: changes may be logged without their rows");
            findings.push(fatal(what, self.set("binlog_format", "'ROW'")));
        }
        findings
    }

    fn gtids(&self) -> Vec<Finding> {
        if self.flavour == Flavour::MariaDb {
            let loose = self.differs("gtid_strict_mode", "ON").then(|| {
                let what = "gtid_strict_mode is OFF: a replica that is written to by mistake breaks the \
                            order of its domain, and no position tells";
                advice(what, self.set("gtid_strict_mode", "ON"))
            });
            return loose.into_iter().collect();
        }
        let mode = self.get("gtid_mode").to_owned();
        let from = MODES.iter().position(|known| *known == mode);
        let Some(steps) =
            from.and_then(|from| MODES.get(from + 1..)).filter(|steps| !steps.is_empty())
        else {
            return Vec::new();
        };
        let mut mend = vec![self.set("enforce_gtid_consistency", "ON")];
        mend.extend(steps.iter().map(|mode| self.set("gtid_mode", mode)));
        let what = format!("gtid_mode is {mode}: transactions have no identity to resume from");
        vec![fatal(what, mend.join("; "))]
    }

    fn images(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let image = self.get("binlog_row_image");
        let is_part = self.differs("binlog_row_image", "FULL");
        if is_part {
            let what = format!(
                "binlog_row_image is {image}: changes hold their key and what changed, and a condition \
                 on another column is an error"
            );
            findings.push(advice(what, self.set("binlog_row_image", "'FULL'")));
        }
        if is_part && self.get("binlog_row_value_options").contains("PARTIAL_JSON") {
            let what = "binlog_row_value_options is PARTIAL_JSON and the row image is not FULL: changed \
                        documents cannot be put together";
            findings.push(advice(what, self.set("binlog_row_value_options", "''")));
        }
        if self.differs("binlog_row_metadata", "FULL") {
            let metadata = self.get("binlog_row_metadata");
            let what = format!(
                "binlog_row_metadata is {metadata}: the log does not name columns, so that a stream \
                 cannot resume from before an ALTER TABLE"
            );
            findings.push(advice(what, self.set("binlog_row_metadata", "'FULL'")));
        }
        if self.differs("binlog_checksum", "CRC32") {
            let what = "binlog_checksum is NONE: damage to the log goes unnoticed";
            findings.push(advice(what, self.set("binlog_checksum", "'CRC32'")));
        }
        findings
    }

    /// How long the log is kept; `None` for ever.
    fn kept(&self) -> Option<Duration> {
        if self.get("binlog_expire_logs_auto_purge") == "OFF" {
            return None;
        }
        let number = |name| self.get(name).parse::<f64>().unwrap_or(0.0);
        let (seconds, days) = (number("binlog_expire_logs_seconds"), number("expire_logs_days"));
        let kept = if seconds > 0.0 { seconds } else { days * DAY.as_secs_f64() };
        Duration::try_from_secs_f64(kept).ok().filter(|kept| !kept.is_zero())
    }

    fn keeping(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(kept) = self.kept().filter(|kept| *kept < DAY) {
            let what = format!(
                "the binary log is kept for {} s: a stream that was away for longer starts over",
                kept.as_secs()
            );
            findings.push(advice(what, self.set("binlog_expire_logs_seconds", "604800")));
        }
        let deaf =
            self.get("log_replica_updates") == "OFF" || self.get("log_slave_updates") == "OFF";
        let replicates = match self.flavour {
            Flavour::Mysql => true,
            Flavour::MariaDb => !self.get("gtid_slave_pos").is_empty(),
        };
        if deaf && replicates {
            let name = match self.flavour {
                Flavour::Mysql => "log_replica_updates",
                Flavour::MariaDb => "log_slave_updates",
            };
            let what = format!("{name} is OFF: what this server replicates is not in its own log");
            let mend = format!("set {name} = ON in the server's configuration and restart it");
            findings.push(advice(what, mend));
        }
        findings
    }
}

async fn grants(conn: &mut Conn, flavour: Flavour) -> mysql_async::Result<Grants> {
    // MySQL shows the privileges of active roles only if it is told which they are; MariaDB does.
    let roles: Option<Option<String>> = match flavour {
        Flavour::Mysql => conn.query_first("SELECT CURRENT_ROLE()").await?,
        Flavour::MariaDb => None,
    };
    let roles = roles.flatten().filter(|roles| roles != "NONE");
    let query = match roles {
        Some(roles) => format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}"),
        None => "SHOW GRANTS".to_owned(),
    };
    let lines: Vec<String> = conn.query(query).await?;
    Ok(Grants::parse(lines.iter().map(String::as_str)))
}

fn privileges(grants: &Grants, flavour: Flavour, database: &str, account: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let here = everything_in(database);
    if !grants.everywhere(REPLICATION) {
        let what = format!("{account} may not read the binary log");
        findings.push(fatal(what, grant(REPLICATION, "*.*", account)));
    }
    match grants.reach("SELECT", database) {
        Reach::Database => {}
        Reach::Tables => {
            let what = format!("{account} may read some tables only: there are no others for it");
            findings.push(advice(what, grant("SELECT", &here, account)));
        }
        Reach::None => {
            let what = format!("{account} may not read the tables of {database}");
            findings.push(fatal(what, grant("SELECT", &here, account)));
        }
    }
    if flavour == Flavour::Mysql && grants.reach(LOCK, database) != Reach::Database {
        let what = format!(
            "{account} may not lock tables for the moment in which a copy begins: rows that change \
             in it come twice, and tables without a key are not copied"
        );
        findings.push(advice(what, grant(LOCK, &here, account)));
    }
    findings
}

/// Columns whose values the log holds in a form that does not say how long they are.
fn old_temporal(database: &str, tables: &[String]) -> Option<Finding> {
    if tables.is_empty() {
        return None;
    }
    let alter = tables.iter().map(|table| format!("ALTER TABLE `{database}`.`{table}` FORCE"));
    let what = format!(
        "{} of {database} have temporal columns in the form of MariaDB 5.3, whose changes cannot be read",
        tables.join(", ")
    );
    let mend: Vec<_> = std::iter::once("SET GLOBAL mysql56_temporal_format = ON".to_owned())
        .chain(alter)
        .collect();
    Some(advice(what, mend.join("; ")))
}

/// All tables of a database, as GRANT names them.
fn everything_in(database: &str) -> String {
    format!("`{}`.*", database.replace('`', "``").replace('_', "\\_"))
}

/// A statement that gives the account a privilege. The account is as the server names it: only the
/// last `@` stands before a host.
fn grant(privilege: &str, place: &str, account: &str) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    let quoted = |name: &str| format!("'{}'", name.replace('\'', "''"));
    format!("GRANT {privilege} ON {place} TO {}@{}", quoted(user), quoted(host))
}

fn fatal(what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { fatal: true, what: what.into(), mend: mend.into() }
}

fn advice(what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { fatal: false, what: what.into(), mend: mend.into() }
}

const LOCK: &str = "LOCK TABLES";
const REPLICATION: &str = "REPLICATION SLAVE";
/// The values of `gtid_mode` in the order in which they can be gone through.
const MODES: [&str; 4] = ["OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"];
const DAY: Duration = Duration::from_hours(24);
const NAMES: [&str; 16] = [
    "binlog_checksum",
    "binlog_expire_logs_auto_purge",
    "binlog_expire_logs_seconds",
    "binlog_format",
    "binlog_row_image",
    "binlog_row_metadata",
    "binlog_row_value_options",
    "expire_logs_days",
    "gtid_mode",
    "gtid_slave_pos",
    "gtid_strict_mode",
    "log_bin",
    "log_replica_updates",
    "log_slave_updates",
    "server_id",
    "version",
];
const OLD_TEMPORAL: &str = "SELECT DISTINCT TABLE_NAME FROM information_schema.COLUMNS \
     WHERE TABLE_SCHEMA = DATABASE() AND COLUMN_TYPE LIKE '%mariadb-5.3%' ORDER BY TABLE_NAME";

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(flavour: Flavour, values: &[(&str, &str)]) -> Vec<Finding> {
        let good = [
            ("log_bin", "ON"),
            ("binlog_format", "ROW"),
            ("binlog_row_image", "FULL"),
            ("binlog_row_metadata", "FULL"),
            ("binlog_checksum", "CRC32"),
            ("gtid_mode", "ON"),
            ("gtid_strict_mode", "ON"),
            ("server_id", "1"),
            ("log_slave_updates", "ON"),
            ("binlog_expire_logs_seconds", "2592000"),
        ];
        let values = good.iter().chain(values);
        let values = values.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Settings { flavour, values }.findings()
    }

    #[track_caller]
    fn check(flavour: Flavour, set: &[(&str, &str)], fatal: bool, what: &str, mend: &str) {
        let findings = settings(flavour, set);
        let finding = findings.last().expect("a finding");
        assert!(finding.what.contains(what) && finding.fatal == fatal, "{finding:?}");
        assert_eq!(finding.mend, mend);
    }

    #[test]
    fn each_fault_has_its_mend() {
        use Flavour::{MariaDb, Mysql};
        assert_eq!(settings(Mysql, &[]), []);
        assert_eq!(settings(MariaDb, &[("log_slave_updates", "OFF")]), []);
        let restart = "set log_bin = binlog in the server's configuration and restart it";
        check(Mysql, &[("log_bin", "OFF")], true, "the binary log is off", restart);
        let mend = "SET PERSIST enforce_gtid_consistency = ON; SET PERSIST gtid_mode = ON_PERMISSIVE; \
                    SET PERSIST gtid_mode = ON";
        check(Mysql, &[("gtid_mode", "OFF_PERMISSIVE")], true, "OFF_PERMISSIVE", mend);
        let mend = "SET GLOBAL binlog_format = 'ROW', and the same in the server's configuration";
        check(MariaDb, &[("binlog_format", "MIXED")], true, "MIXED", mend);
        let mend = "SET PERSIST server_id = 1";
        check(Mysql, &[("server_id", "0")], true, "sends its binary log to nobody", mend);
        let mend = "SET PERSIST binlog_row_image = 'FULL'";
        check(Mysql, &[("binlog_row_image", "MINIMAL")], false, "MINIMAL", mend);
        let json = [("binlog_row_image", "NOBLOB"), ("binlog_row_value_options", "PARTIAL_JSON")];
        let mend = "SET PERSIST binlog_row_value_options = ''";
        check(Mysql, &json, false, "documents", mend);
        let mend = "SET PERSIST binlog_row_metadata = 'FULL'";
        check(Mysql, &[("binlog_row_metadata", "MINIMAL")], false, "ALTER TABLE", mend);
        let mend = "SET PERSIST binlog_checksum = 'CRC32'";
        check(Mysql, &[("binlog_checksum", "NONE")], false, "unnoticed", mend);
        let mend = "SET PERSIST binlog_expire_logs_seconds = 604800";
        check(Mysql, &[("binlog_expire_logs_seconds", "60")], false, "kept for 60 s", mend);
        let deaf = [("log_slave_updates", "OFF"), ("gtid_slave_pos", "0-1-5")];
        let mend = "set log_slave_updates = ON in the server's configuration and restart it";
        check(MariaDb, &deaf, false, "not in its own log", mend);
    }

    #[test]
    fn a_retention_without_end_is_fine() {
        assert_eq!(settings(Flavour::Mysql, &[("binlog_expire_logs_seconds", "0")]), []);
        let days = [("binlog_expire_logs_seconds", "0"), ("expire_logs_days", "0.5")];
        assert_eq!(settings(Flavour::MariaDb, &days).len(), 1);
    }

    #[test]
    fn grants_name_the_account_and_escape_the_database() {
        let found = privileges(&Grants::default(), Flavour::Mysql, "my_shop", "v@x@10.0.0.%");
        let mends: Vec<_> = found.iter().map(|finding| finding.mend.as_str()).collect();
        assert_eq!(
            mends,
            [
                "GRANT REPLICATION SLAVE ON *.* TO 'v@x'@'10.0.0.%'",
                r"GRANT SELECT ON `my\_shop`.* TO 'v@x'@'10.0.0.%'",
                r"GRANT LOCK TABLES ON `my\_shop`.* TO 'v@x'@'10.0.0.%'",
            ]
        );
        assert_eq!(found.iter().filter(|finding| finding.fatal).count(), 2);
    }
}
