//! Tables of all kinds of key, their rows, and what a client asks of them.

/// A kind of key.
pub struct Keyed {
    /// The key's columns, first in the table, and how they are a key.
    pub columns: &'static str,
    pub key: &'static str,
    pub names: &'static [&'static str],
    /// The values of a number's key.
    pub values: fn(u32) -> Vec<String>,
}

const KEYS: &[Keyed] = &[
    Keyed {
        columns: "id INT",
        key: "PRIMARY KEY (id)",
        names: &["id"],
        values: |n| vec![n.to_string()],
    },
    Keyed {
        columns: "a INT, b SMALLINT UNSIGNED",
        key: "PRIMARY KEY (b, a)",
        names: &["a", "b"],
        values: |n| vec![format!("-{}", n / 7), (n % 7).to_string()],
    },
    Keyed {
        columns: "k VARCHAR(20) COLLATE utf8mb4_general_ci",
        key: "PRIMARY KEY (k)",
        names: &["k"],
        values: |n| vec![format!("'{}{n}'", ["a", "Ä", "ß", "B b", "文"][n as usize % 5])],
    },
    Keyed {
        columns: "k VARBINARY(8)",
        key: "PRIMARY KEY (k)",
        names: &["k"],
        values: |n| vec![format!("X'{:08x}00ff27'", n.wrapping_mul(2_654_435_761))],
    },
    Keyed {
        columns: "k BIGINT UNSIGNED",
        key: "PRIMARY KEY (k)",
        names: &["k"],
        values: |n| vec![(u64::MAX - u64::from(n) * 3).to_string()],
    },
    Keyed {
        columns: "k DECIMAL(30,10)",
        key: "PRIMARY KEY (k)",
        names: &["k"],
        values: |n| vec![format!("{}12345678901234.{n:010}", if n % 2 == 0 { "-" } else { "" })],
    },
    Keyed {
        columns: "k DATETIME(6)",
        key: "PRIMARY KEY (k)",
        names: &["k"],
        values: |n| vec![format!("'2026-01-02 03:04:{:02}.{n:06}'", n % 60)],
    },
    Keyed {
        columns: "e ENUM('z','a','ü'), id INT",
        key: "PRIMARY KEY (e, id)",
        names: &["e", "id"],
        values: |n| vec![(n % 3 + 1).to_string(), n.to_string()],
    },
    Keyed {
        columns: "k BIT(40)",
        key: "PRIMARY KEY (k)",
        names: &["k"],
        values: |n| vec![(u64::from(n) * 7_777_777 % (1 << 40)).to_string()],
    },
    Keyed {
        columns: "id INT NOT NULL, k CHAR(9) COLLATE utf8mb4_bin NOT NULL",
        key: "UNIQUE (k, id)",
        names: &["id", "k"],
        values: |n| vec![(n / 3).to_string(), format!("'{}'", ["x", "X", ""][n as usize % 3])],
    },
    Keyed { columns: "id INT", key: "KEY (id)", names: &[], values: |n| vec![n.to_string()] },
];

/// What a client asks for: items, and a condition.
const FILTERS: &[(&str, &str)] = &[
    ("*", ""),
    ("*", "grp < 5"),
    ("{key}, v", ""),
    ("{key}, v", "grp IN (1, 2, 3) OR v IS NULL"),
    ("v, pad, {key}", "v LIKE 'a%' AND grp <> 4"),
];

/// A table of a round, and what its client asks for.
pub struct Table {
    pub name: String,
    pub keyed: &'static Keyed,
    pub items: String,
    pub condition: &'static str,
    /// Bytes of its longest column at most.
    pub pad: u16,
}

impl Table {
    pub fn new(number: usize, random: &mut fastrand::Rng) -> Self {
        let keyed = &KEYS[random.usize(0..KEYS.len())];
        let (items, condition) = FILTERS[random.usize(0..FILTERS.len())];
        // Without a key rows are sorted by all columns, if those are not too long.
        let pad = if keyed.names.is_empty() && random.bool() { 400 } else { 4000 };
        let mut table =
            Self { name: format!("t{number}"), keyed, items: String::new(), condition, pad };
        table.items = items.replace("{key}", &table.key());
        table
    }

    /// The columns that tell rows apart, more or less.
    pub fn key(&self) -> String {
        if self.is_keyless() { "id".to_owned() } else { self.keyed.names.join(", ") }
    }

    pub fn is_keyless(&self) -> bool {
        self.keyed.names.is_empty()
    }

    pub fn create(&self) -> String {
        format!(
            "CREATE TABLE {} ({}, grp INT, v VARCHAR(40), pad VARCHAR({}), {}) \
             COLLATE utf8mb4_general_ci",
            self.name, self.keyed.columns, self.pad, self.keyed.key
        )
    }

    /// `a = 1 AND b = 2`.
    pub fn place(&self, number: u32) -> String {
        let names = if self.is_keyless() { &["id"] } else { self.keyed.names };
        let terms: Vec<_> = names
            .iter()
            .zip((self.keyed.values)(number))
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        terms.join(" AND ")
    }

    /// The values of a row.
    pub fn row(&self, number: u32, random: &mut fastrand::Rng) -> String {
        let v = value(random);
        let (grp, pad) = (random.u8(0..8), random.u16(0..self.pad));
        let key = (self.keyed.values)(number).join(", ");
        format!("({key}, {grp}, {v}, REPEAT('p', {pad}))")
    }

    pub fn where_(&self, start: Option<&str>) -> String {
        let start = start.map(|start| format!("pos > '{start}'"));
        let condition = Some(self.condition).filter(|condition| !condition.is_empty());
        let condition = condition.map(|condition| format!("({condition})"));
        let terms: Vec<_> = start.into_iter().chain(condition).collect();
        if terms.is_empty() { String::new() } else { format!(" WHERE {}", terms.join(" AND ")) }
    }
}

/// What a row has in `v`.
pub fn value(random: &mut fastrand::Rng) -> String {
    match random.u8(0..8) {
        0 => "NULL".to_owned(),
        1..4 => format!("'b{}'", random.u32(..)),
        _ => format!("'a{}'", random.u32(..)),
    }
}
