//! Reads `grammar/*.ebnf` and derives random sentences from it.

use std::collections::{BTreeMap, BTreeSet};

/// The rules of one statement, those it shares with others included.
pub(super) struct Grammar {
    rules: BTreeMap<String, Node>,
    /// How deep the shallowest derivation of each rule is.
    heights: BTreeMap<String, usize>,
}

#[derive(Debug, Clone)]
enum Node {
    Literal(String),
    Rule(String),
    /// Described in words; the deriver knows the rule's name.
    Words,
    /// No blank here.
    Glue,
    Sequence(Vec<Node>),
    /// Numbered within its grammar, so that each branch can be seen to be taken.
    Choice(usize, Vec<Node>),
    Optional(usize, Box<Node>),
    Repeat(usize, Box<Node>),
}

impl Grammar {
    pub fn read(texts: &[&str]) -> Self {
        let mut rules = BTreeMap::new();
        let mut parser = Parser { tokens: Vec::new(), at: 0, choices: 0 };
        for text in texts {
            parser.tokens = tokens(text);
            parser.at = 0;
            while parser.at < parser.tokens.len() {
                let name = parser.next();
                assert_eq!(parser.next(), "=", "after {name}");
                let body = parser.choice();
                assert_eq!(parser.next(), ";", "after rule {name}");
                assert!(rules.insert(name.clone(), body).is_none(), "{name} is defined twice");
            }
        }
        let mut grammar = Self { rules, heights: BTreeMap::new() };
        grammar.measure();
        grammar
    }

    /// The branches that exist: of a choice each alternative, of an option both ways.
    pub fn branches(&self) -> BTreeSet<(usize, usize)> {
        let mut reached = BTreeSet::new();
        let mut found = BTreeSet::new();
        self.collect("statement", &mut reached, &mut found);
        found
    }

    fn collect(
        &self,
        rule: &str,
        reached: &mut BTreeSet<String>,
        found: &mut BTreeSet<(usize, usize)>,
    ) {
        if !reached.insert(rule.to_owned()) {
            return;
        }
        let mut nodes = vec![self.rule(rule)];
        while let Some(node) = nodes.pop() {
            match node {
                Node::Literal(_) | Node::Words | Node::Glue => {}
                Node::Rule(name) => self.collect(name, reached, found),
                Node::Sequence(parts) => nodes.extend(parts),
                Node::Choice(id, parts) => {
                    found.extend((0..parts.len()).map(|branch| (*id, branch)));
                    nodes.extend(parts);
                }
                Node::Optional(id, part) | Node::Repeat(id, part) => {
                    found.extend([(*id, 0), (*id, 1)]);
                    nodes.push(part);
                }
            }
        }
    }

    fn rule(&self, name: &str) -> &Node {
        self.rules.get(name).unwrap_or_else(|| panic!("no rule {name}"))
    }

    fn measure(&mut self) {
        loop {
            let known = self.heights.len();
            for (name, body) in &self.rules {
                if let Some(height) = height(body, &self.heights)
                    && !self.heights.contains_key(name)
                {
                    self.heights.insert(name.clone(), height + 1);
                }
            }
            if self.heights.len() == known {
                break;
            }
        }
        assert_eq!(self.heights.len(), self.rules.len(), "a rule never ends");
    }
}

fn height(node: &Node, heights: &BTreeMap<String, usize>) -> Option<usize> {
    match node {
        Node::Literal(_) | Node::Words | Node::Glue | Node::Optional(..) | Node::Repeat(..) => {
            Some(0)
        }
        Node::Rule(name) => heights.get(name).copied(),
        Node::Sequence(parts) => parts
            .iter()
            .map(|part| height(part, heights))
            .try_fold(0, |most, part| Some(most.max(part?))),
        Node::Choice(_, parts) => parts.iter().filter_map(|part| height(part, heights)).min(),
    }
}

/// Derives sentences and remembers which branches it took.
pub(super) struct Deriver<'a> {
    grammar: &'a Grammar,
    random: fastrand::Rng,
    pub taken: BTreeSet<(usize, usize)>,
    sentence: String,
    glued: bool,
}

impl<'a> Deriver<'a> {
    pub fn new(grammar: &'a Grammar, seed: u64) -> Self {
        Self {
            grammar,
            random: fastrand::Rng::with_seed(seed),
            taken: BTreeSet::new(),
            sentence: String::new(),
            glued: true,
        }
    }

    pub fn sentence(&mut self) -> String {
        self.sentence.clear();
        self.glued = true;
        self.derive(self.grammar.rule("statement"), "statement", 0);
        std::mem::take(&mut self.sentence)
    }

    fn derive(&mut self, node: &Node, rule: &str, depth: usize) {
        // Beyond this depth or length, only what ends soonest.
        let deep = depth > 17 || self.sentence.len() > 400;
        match node {
            Node::Literal(word) => {
                let word = self.any_case(word);
                self.push(&word);
            }
            Node::Glue => self.glued = true,
            Node::Words => {
                let word = self.words(rule);
                self.push(&word);
            }
            Node::Rule(name) => self.derive(self.grammar.rule(name), name, depth + 1),
            Node::Sequence(parts) => parts.iter().for_each(|part| self.derive(part, rule, depth)),
            Node::Choice(id, parts) => {
                let new = (0..parts.len()).find(|branch| !self.taken.contains(&(*id, *branch)));
                let branch = match new {
                    _ if deep => {
                        let heights = &self.grammar.heights;
                        let of = |branch: &usize| height(&parts[*branch], heights);
                        (0..parts.len())
                            .min_by_key(|branch| of(branch).unwrap_or(usize::MAX))
                            .unwrap()
                    }
                    Some(new) if self.random.bool() => new,
                    _ => self.random.usize(..parts.len()),
                };
                self.taken.insert((*id, branch));
                self.derive(&parts[branch], rule, depth);
            }
            Node::Optional(id, part) => {
                let taken = !deep && self.random.bool();
                self.taken.insert((*id, usize::from(taken)));
                if taken {
                    self.derive(part, rule, depth);
                }
            }
            Node::Repeat(id, part) => {
                let times =
                    if deep { 0 } else { [0, 0, 0, 0, 0, 0, 0, 1, 1, 2][self.random.usize(..10)] };
                self.taken.insert((*id, usize::from(times > 0)));
                (0..times).for_each(|_| self.derive(part, rule, depth));
            }
        }
    }

    fn push(&mut self, word: &str) {
        if !std::mem::take(&mut self.glued) && word != "." && !self.sentence.ends_with('.') {
            let blanks =
                [" ", " ", " ", " ", " ", "\n", "\t ", " /* ; ' */ ", " -- ` \"\n", " # */\n"];
            self.sentence.push_str(blanks[self.random.usize(..blanks.len())]);
        }
        self.sentence.push_str(word);
    }

    fn any_case(&mut self, word: &str) -> String {
        match self.random.u8(..4) {
            0 => word.to_ascii_lowercase(),
            1 => word
                .chars()
                .map(|c| if self.random.bool() { c.to_ascii_uppercase() } else { c })
                .collect(),
            _ => word.to_owned(),
        }
    }

    /// What the rules that are described in words may be.
    fn words(&mut self, rule: &str) -> String {
        let pool: &[&str] = match rule {
            "name" => &[
                "id",
                "price",
                "customer_id",
                "_x",
                "x9",
                "größe",
                "status",
                "Name",
                "`order id`",
                "`a``b`",
                "`select`",
                "`pos`",
                "`OP`",
                "`old`",
                "`_pos`",
                "`a.b`",
                "`✓`",
                "`;`",
                "date",
                "`count`",
                "`vstream`",
                "comment",
                "`'`",
                "`@x`",
                "`default`",
            ],
            "text" => &[
                "''",
                "'current'",
                "'x'",
                "\"x\"",
                "'it''s'",
                "'a\\'b'",
                "\"say \"\"x\"\"\"",
                "'\\\\'",
                "'\\n\\t\\0\\Z\\r'",
                "'100\\%'",
                "'a\\_b'",
                "'Zoë ✓'",
                "'; -- /* # `'",
                "'line\nbreak'",
                "'MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5'",
                "'\\\\\\%'",
            ],
            "integer" => &["0", "1", "5", "100", "18446744073709551615"],
            "number" => {
                &["0", "7", "007", "1.5", ".5", "1e3", "1.5E-3", "123456789012345678901234567890"]
            }
            "bytes" => &["X'4D79'", "x''", "0x4d", "0xF", "b'1001'", "B'1'"],
            "function_name" => {
                &["CONCAT", "lower", "Coalesce", "IF", "LOCATE", "abs", "ROUND", "LEFT", "REPLACE"]
            }
            "escape" => &["'|'", "''", "'\\\\'", "'''", "\"$\""],
            "length" => &["1", "6", "20"],
            "keyspace" => &["commerce", "ks2", "_x"],
            "shard" => &["0", "-", "-80", "80-", "40-80"],
            "range" => &["-", "-80", "80-", "40-80", "deadbeef", "C0-"],
            "tablet" => &["zone1-0000000100"],
            other => panic!("nobody knows what {other} is in words"),
        };
        let word = pool[self.random.usize(..pool.len())];
        if word == "'''" { "''''".to_owned() } else { word.to_owned() }
    }
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
    choices: usize,
}

impl Parser {
    fn next(&mut self) -> String {
        self.at += 1;
        self.tokens[self.at - 1].clone()
    }

    fn peek(&self) -> &str {
        &self.tokens[self.at]
    }

    fn number(&mut self) -> usize {
        self.choices += 1;
        self.choices
    }

    fn choice(&mut self) -> Node {
        let mut parts = vec![self.sequence()];
        while self.peek() == "|" {
            self.at += 1;
            parts.push(self.sequence());
        }
        if parts.len() == 1 { parts.remove(0) } else { Node::Choice(self.number(), parts) }
    }

    fn sequence(&mut self) -> Node {
        let mut parts = Vec::new();
        while !["|", ";", ")", "]", "}"].contains(&self.peek()) {
            let token = self.next();
            let node = match token.as_str() {
                "~" => Node::Glue,
                "[" => Node::Optional(self.number(), Box::new(self.closed("]"))),
                "{" => Node::Repeat(self.number(), Box::new(self.closed("}"))),
                "(" => self.closed(")"),
                words if words.starts_with('?') => Node::Words,
                literal if literal.starts_with('"') => {
                    Node::Literal(literal.trim_matches('"').to_owned())
                }
                name => Node::Rule(name.to_owned()),
            };
            parts.push(node);
        }
        Node::Sequence(parts)
    }

    fn closed(&mut self, end: &str) -> Node {
        let node = self.choice();
        assert_eq!(self.next(), end);
        node
    }
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' if rest.starts_with("(*") => {
                rest = rest[rest.find("*)").unwrap() + 2..].trim_start();
                continue;
            }
            '"' | '?' => rest[1..].find(first).unwrap() + 2,
            c if c.is_alphanumeric() => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}
