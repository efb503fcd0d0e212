//! Whatever the bytes: no panic, no overflow of a small stack, and no long thought.

use vstreamd::sql::{self, Select};

use super::corpus;

/// As small as a thread's stack gets here.
const STACK_BYTES: usize = 2 << 20;

#[test]
fn deep_and_long_texts_fit_a_small_stack() {
    let many = 100_000;
    let nested = |open: &str, close: &str| format!("{}a{}", open.repeat(many), close.repeat(many));
    let conditions = vec![
        nested("(", ")"),
        "(".repeat(many),
        nested("NOT ", ""),
        nested("- ", ""),
        nested("!", ""),
        nested("~ ", ""),
        nested("f(", ")"),
        nested("IF(", ", 1, 2)"),
        nested("CAST(", " AS CHAR)"),
        nested("CASE ", ""),
        nested("BINARY ", ""),
        nested("(SELECT ", ")"),
        nested("CASE WHEN ", " THEN 1 END"),
        "a".to_owned() + &" AND a".repeat(many),
        "a".to_owned() + &" OR a".repeat(many),
        "a".to_owned() + &" AND a".repeat(900),
        "a".to_owned() + &" OR a".repeat(900),
        "a".to_owned() + &" + a".repeat(900),
        "a".to_owned() + &" DIV a".repeat(900),
        "a".to_owned() + &" = a".repeat(900),
        "a".to_owned() + &" AND a".repeat(900) + " AND pos >",
        "a".to_owned() + &" + a".repeat(many),
        "a".to_owned() + &" DIV a".repeat(many),
        "a".to_owned() + &".a".repeat(many),
        "a".to_owned() + &"[1]".repeat(many),
        "a".to_owned() + &"::int".repeat(many),
        "a".to_owned() + &" COLLATE b".repeat(many),
        "a".to_owned() + &" IS NULL".repeat(900),
        "a".to_owned() + &" 'x'".repeat(many),
        format!("a IN ({})", vec!["1"; many].join(", ")),
    ];
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        for condition in conditions {
            let _ = sql::parse(&format!("VSTREAM * FROM t WHERE {condition}"));
            if condition.len() > 10_000 {
                continue;
            }
            let _ = sql::parse(&format!("SET x = {condition}"));
            let _ = sql::parse(&format!("SHOW TABLES WHERE {condition}"));
            let _ = Select::parse(&format!("select * from t where {condition}"));
            let _ = Select::parse(&format!("select {condition} from t"));
        }
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn a_long_list_and_a_chain_up_to_the_bound_are_accepted() {
    let values: Vec<String> = (0..100_000).map(|value| value.to_string()).collect();
    corpus::check(&format!("VSTREAM * FROM t WHERE a IN ({})", values.join(", "))).unwrap();
    corpus::check(&format!("VSTREAM * FROM t WHERE a{}", " OR a".repeat(990))).unwrap();
    corpus::check(&format!("VSTREAM * FROM t WHERE {}a{}", "(".repeat(20), ")".repeat(20)))
        .unwrap();
}

#[test]
fn bounds_are_named_errors() {
    let error = |text: &str| sql::parse(text).unwrap_err().to_string();
    assert_eq!(
        error(&format!("VSTREAM * FROM t WHERE {}a", "(".repeat(1000))),
        "an expression is nested deeper than 50 levels: write it flatter"
    );
    assert_eq!(
        error(&format!("VSTREAM * FROM t WHERE a{}", " OR a".repeat(1001))),
        "more than 1000 operators in a statement: use IN instead of many ORs"
    );
    assert_eq!(
        error(&format!("VSTREAM * FROM t WHERE a = '{}'", "x".repeat(1 << 20))),
        "VSTREAM is longer than 1048576 bytes: shorten it"
    );
    assert_eq!(
        error(&format!("VSTREAM a{} FROM t", ", a".repeat(5000))),
        "more than 4096 items in a list: split the statement"
    );
    assert_eq!(
        error(&format!("SET a = 1{}", ", a = 1".repeat(500))),
        "more than 256 items in a list: split the statement"
    );
}

/// Mutated cases of the corpus: some parse, none panics, and what parses prints and parses again.
#[test]
fn mutations_never_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    let cases = corpus::all();
    for _ in 0..20_000 {
        let text = mutate(&mut random, &cases);
        for outcome in [corpus::check(&text), corpus::filter(&text)] {
            let differs = outcome.is_err_and(|error| error.starts_with(corpus::DIFFERS));
            assert!(!differs, "{text:?}");
        }
        assert!(sql::split(&text).map(str::len).sum::<usize>() <= text.len());
    }
}

fn mutate(random: &mut fastrand::Rng, cases: &[corpus::Case]) -> String {
    let mut chars: Vec<char> = cases[random.usize(..cases.len())].text.chars().collect();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=chars.len());
        let end = (at + random.usize(..8)).min(chars.len());
        match random.u8(..5) {
            0 => drop(chars.drain(at..end)),
            1 => chars.insert(at, random.char(..)),
            2 => {
                let signs = "'\"`;()/*!#-@.,=<>|&^~%\\\0\n 0aE_";
                chars.insert(at, char::from(random.choice(signs.bytes()).unwrap()));
            }
            3 => {
                let other = &cases[random.usize(..cases.len())].text;
                let words: Vec<&str> = other.split(' ').collect();
                let word = format!(" {} ", words[random.usize(..words.len())]);
                chars.splice(at..at, word.chars());
            }
            _ => {
                let copy = chars[at..end].to_vec();
                chars.splice(at..at, copy);
            }
        }
    }
    chars.into_iter().collect()
}
