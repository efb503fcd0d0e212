//! Operators bind as they do in a real server: random expressions without parentheses are worth
//! there what they are worth with all the parentheses that our tree puts in.

use mysql_async::prelude::Queryable;
use vstreamd::sql::expr::{Expr, UnaryOp};
use vstreamd::sql::show::Filter;
use vstreamd::sql::{self, Show, Statement};

use crate::harness::real;

const EXPRESSIONS: usize = 4_000;

#[tokio::test]
async fn operators_bind_as_in_mariadb() {
    let pool = mysql_async::Pool::new(real::mariadb().url("").as_str());
    let mut connection = pool.get_conn().await.unwrap();
    let mut random = fastrand::Rng::with_seed(11);
    let (mut compared, mut refused) = (0, Vec::new());
    for _ in 0..EXPRESSIONS {
        let text = expression(&mut random);
        let parsed = sql::parse(&format!("SHOW STATUS WHERE {text}"));
        let Ok(Statement::Show(Show::Status { filter: Some(Filter::Where(tree)), .. })) = parsed
        else {
            refused.push(text);
            continue;
        };
        let question = format!("SELECT ({text}) <=> ({})", explicit(&tree));
        // What overflows, or is no expression of MariaDB's, tells nothing.
        if let Ok(equal) = connection.query_first::<bool, _>(&question).await {
            assert_eq!(equal, Some(true), "{question}");
            compared += 1;
        }
    }
    assert!(compared > EXPRESSIONS / 2, "only {compared} were compared");
    for text in refused {
        let chained = connection.query_first::<Option<i64>, _>(format!("SELECT {text}")).await;
        let error = sql::parse(&format!("SHOW STATUS WHERE {text}")).unwrap_err().to_string();
        assert!(chained.is_err() || error.contains("without parentheses"), "{text}: {error}");
    }
    drop(connection);
    pool.disconnect().await.unwrap();
}

fn expression(random: &mut fastrand::Rng) -> String {
    let infix = [
        "OR", "||", "XOR", "AND", "&&", "=", "<=>", "<>", "!=", "<", "<=", ">", ">=", "|", "&",
        "<<", ">>", "+", "-", "*", "/", "DIV", "%", "MOD", "^", "LIKE", "NOT LIKE", "REGEXP",
    ];
    let prefix = ["NOT", "-", "~", "!", "+"];
    let postfix = [
        "IS NULL",
        "IS NOT NULL",
        "IS TRUE",
        "IS NOT FALSE",
        "IN (1, 2)",
        "NOT IN (0, 3)",
        "BETWEEN 1 AND 2",
        "NOT BETWEEN 0 AND 1 + 1",
    ];
    let mut words = Vec::new();
    for index in 0..random.usize(2..7) {
        if index > 0 {
            words.push(infix[random.usize(..infix.len())]);
        }
        while random.u8(..5) == 0 {
            words.push(prefix[random.usize(..prefix.len())]);
        }
        words.push(["0", "1", "2", "3", "7", "NULL"][random.usize(..6)]);
        if random.u8(..6) == 0 {
            words.push(postfix[random.usize(..postfix.len())]);
        }
    }
    words.join(" ")
}

/// The tree with every operation in parentheses.
fn explicit(expr: &Expr) -> String {
    let joined =
        |terms: &[Expr], word: &str| terms.iter().map(explicit).collect::<Vec<_>>().join(word);
    let not = |negated: &bool| if *negated { "NOT " } else { "" };
    match expr {
        Expr::And(terms) => format!("({})", joined(terms, " AND ")),
        Expr::Or(terms) => format!("({})", joined(terms, " OR ")),
        Expr::Unary { op, operand } => {
            let sign = match op {
                UnaryOp::Not => "NOT",
                UnaryOp::Minus => "-",
                UnaryOp::BitNot => "~",
            };
            format!("({sign} {})", explicit(operand))
        }
        Expr::Binary { op, left, right } => {
            // The tree's own print of the operator, between two names that need no parentheses.
            let bare = |name| Box::new(Expr::column(name));
            let sign = Expr::Binary { op: *op, left: bare("a"), right: bare("b") }.to_string();
            format!("({} {} {})", explicit(left), &sign[2..sign.len() - 2], explicit(right))
        }
        Expr::Is { operand, test, negated } => {
            format!("({} IS {}{test:?})", explicit(operand), not(negated))
        }
        Expr::In { operand, list, negated } => {
            format!("({} {}IN ({}))", explicit(operand), not(negated), joined(list, ", "))
        }
        Expr::Between { operand, low, high, negated } => {
            let (operand, low, high) = (explicit(operand), explicit(low), explicit(high));
            format!("({operand} {}BETWEEN {low} AND {high})", not(negated))
        }
        Expr::Like { operand, pattern, negated, .. } => {
            format!("({} {}LIKE {})", explicit(operand), not(negated), explicit(pattern))
        }
        Expr::Regexp { operand, pattern, negated } => {
            format!("({} {}REGEXP {})", explicit(operand), not(negated), explicit(pattern))
        }
        other => other.to_string(),
    }
}
