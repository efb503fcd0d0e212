//! What a user may do, as `SHOW GRANTS` tells it.

/// The grants of one user.
#[derive(Debug, Default)]
pub struct Grants {
    lines: Vec<Grant>,
}

/// One line: privileges given or taken away somewhere.
#[derive(Debug)]
struct Grant {
    gives: bool,
    privileges: Vec<String>,
    scope: Scope,
}

/// Where a grant holds.
#[derive(Debug)]
enum Scope {
    Everywhere,
    /// A database, as a pattern.
    Database(String),
    /// A table of a database.
    Table(String),
}

/// How far a privilege reaches into a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Nowhere.
    None,
    /// Some of its tables.
    Tables,
    /// All of them.
    Database,
}

impl Grants {
    /// Reads the lines of `SHOW GRANTS`; one that is no grant of privileges (a role's, a proxy's)
    /// says nothing.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        Self { lines: lines.into_iter().filter_map(Grant::parse).collect() }
    }

    /// Whether the privilege holds everywhere.
    pub fn everywhere(&self, privilege: &str) -> bool {
        let here = |grant: &&Grant| grant.gives && matches!(grant.scope, Scope::Everywhere);
        self.lines.iter().filter(here).any(|grant| grant.has(privilege))
    }

    /// How far the privilege reaches into this database.
    pub fn reach(&self, privilege: &str, database: &str) -> Reach {
        let mut reach = Reach::None;
        let matching = self.lines.iter().filter(|grant| grant.has(privilege));
        for grant in matching.clone().filter(|grant| grant.gives) {
            reach = reach.max(match &grant.scope {
                Scope::Everywhere => Reach::Database,
                Scope::Database(pattern) if like(pattern, database) => Reach::Database,
                Scope::Table(name) if name == database => Reach::Tables,
                Scope::Database(_) | Scope::Table(_) => Reach::None,
            });
        }
        // What is given everywhere may be taken away again in a database, by its plain name.
        let taken = matching.filter(|grant| !grant.gives).any(
            |grant| matches!(&grant.scope, Scope::Database(name) if unescaped(name) == database),
        );
        if taken { Reach::None } else { reach }
    }
}

impl Grant {
    fn parse(line: &str) -> Option<Self> {
        let (gives, rest) = match line.strip_prefix("GRANT ") {
            Some(rest) => (true, rest),
            None => (false, line.strip_prefix("REVOKE ")?),
        };
        let (privileges, rest) = rest.split_once(" ON ")?;
        let (object, _) = rest.split_once(if gives { " TO " } else { " FROM " })?;
        let scope = match object.rsplit_once('.')? {
            ("*", "*") => Scope::Everywhere,
            (database, "*") => Scope::Database(name(database)),
            // A name may hold a dot: what matters is which database it begins with.
            _ => Scope::Table(name(
                object.split_once("`.`").map_or(object, |(database, _)| database),
            )),
        };
        // A privilege on columns, `SELECT (a, b)`, is none on the table. MySQL's own dynamic ones stand
        // without a blank between them.
        let privileges = privileges.split(',').map(|privilege| privilege.trim().to_owned());
        Some(Self { gives, privileges: privileges.collect(), scope })
    }

    fn has(&self, privilege: &str) -> bool {
        self.privileges.iter().any(|granted| granted == privilege || granted == "ALL PRIVILEGES")
    }
}

/// The name between back-quotes.
fn name(quoted: &str) -> String {
    quoted.trim_start_matches('`').trim_end_matches('`').replace("``", "`")
}

/// A pattern that means one name, as that name.
fn unescaped(pattern: &str) -> String {
    pattern.replace("\\_", "_").replace("\\%", "%")
}

/// LIKE with `\` as escape, on whole names.
fn like(pattern: &str, text: &str) -> bool {
    let mut pattern = pattern.chars();
    match pattern.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = pattern.as_str();
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| text.get(at..).is_some_and(|tail| like(rest, tail)))
        }
        Some(wanted) => {
            let wanted = match wanted {
                '_' => None,
                '\\' => Some(pattern.next().unwrap_or('\\')),
                other => Some(other),
            };
            let mut text = text.chars();
            let fits = text.next().is_some_and(|found| wanted.is_none_or(|wanted| wanted == found));
            fits && like(pattern.as_str(), text.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], privilege: &str, everywhere: bool, reach: Reach) {
        let grants = Grants::parse(lines.iter().copied());
        assert_eq!(grants.everywhere(privilege), everywhere, "{lines:?}");
        assert_eq!(grants.reach(privilege, "my_shop"), reach, "{lines:?}");
    }

    #[test]
    fn grants_reach_as_far_as_they_say() {
        let all = "GRANT ALL PRIVILEGES ON *.* TO `u`@`h` WITH GRANT OPTION";
        check(&[all], "SELECT", true, Reach::Database);
        check(&["GRANT USAGE ON *.* TO `u`@`h`"], "SELECT", false, Reach::None);
        let global = "GRANT SELECT, REPLICATION SLAVE ON *.* TO `u`@`h`";
        check(&[global], "REPLICATION SLAVE", true, Reach::Database);
        check(&[global], "LOCK TABLES", false, Reach::None);
        for database in [r"my\_shop", "my_shop", "my%", "%"] {
            let line = format!("GRANT SELECT, LOCK TABLES ON `{database}`.* TO `u`@`h`");
            check(&[&line], "LOCK TABLES", false, Reach::Database);
        }
        for database in [r"my\_sho", r"my\%", "shop", "my_shop_"] {
            let line = format!("GRANT SELECT ON `{database}`.* TO `u`@`h`");
            check(&[&line], "SELECT", false, Reach::None);
        }
        let table = "GRANT SELECT ON `my_shop`.`a.b` TO `u`@`h`";
        check(&[table], "SELECT", false, Reach::Tables);
        let columns = "GRANT SELECT (`a`, `b`) ON `my_shop`.`t` TO `u`@`h`";
        check(&[columns], "SELECT", false, Reach::None);
        let dynamic = "GRANT BACKUP_ADMIN,XA_RECOVER_ADMIN ON *.* TO `u`@`h` WITH GRANT OPTION";
        check(&[dynamic], "XA_RECOVER_ADMIN", true, Reach::Database);
        let role = "GRANT `reader`@`%` TO `u`@`h`";
        check(&[role, global], "SELECT", true, Reach::Database);
        let revoked = r"REVOKE SELECT ON `my_shop`.* FROM `u`@`h`";
        check(&[global, revoked], "SELECT", true, Reach::None);
    }
}
