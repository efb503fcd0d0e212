//! The names and numbers of all collations of both servers, from `scripts/charsets`.

use std::sync::LazyLock;

use super::Charset;
use crate::event::schema::CollationId;

/// Name and character set of a collation.
pub(in crate::event) fn collation_name(id: CollationId) -> Option<(&'static str, Charset)> {
    let first = LIST.partition_point(|known| known.id.0 < id.0);
    LIST.get(first).filter(|known| known.id == id).map(|known| (known.name, known.charset))
}

/// The collation of this name, whatever its case.
pub(in crate::event) fn collation_named(name: &str) -> Option<CollationId> {
    LIST.iter().find(|known| known.name.eq_ignore_ascii_case(name)).map(|known| known.id)
}

struct Named {
    id: CollationId,
    name: &'static str,
    charset: Charset,
}

/// By number. Of two names for one number MySQL's comes first.
static LIST: LazyLock<Vec<Named>> = LazyLock::new(|| {
    let listed = |line: &'static str| {
        let (id, name) = line.split_once(' ')?;
        let charset = name.split_once('_').map_or(name, |(charset, _)| charset);
        let charset = Charset::by_name(charset)?;
        Some(Named { id: CollationId(id.parse().ok()?), name, charset })
    };
    include_str!("collations.list").lines().filter_map(listed).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_servers_collations_have_names() {
        let check = |id, name, charset| {
            assert_eq!(collation_name(CollationId(id)), Some((name, charset)));
            assert_eq!(collation_named(name), Some(CollationId(id)));
        };
        check(28, "gbk_chinese_ci", Charset::Gbk);
        check(63, "binary", Charset::Binary);
        check(255, "utf8mb4_0900_ai_ci", Charset::Utf8mb4);
        check(249, "gb18030_bin", Charset::Gb18030);
        check(1025, "big5_chinese_nopad_ci", Charset::Big5);
        check(2304, "utf8mb4_uca1400_ai_ci", Charset::Utf8mb4);
        assert_eq!(collation_name(CollationId(245)).unwrap().0, "utf8mb4_croatian_ci");
        assert_eq!(collation_named("UTF8MB4_croatian_mysql561_CI"), Some(CollationId(245)));
        assert_eq!((collation_name(CollationId(0)), collation_named("latin9")), (None, None));
        let lines = include_str!("collations.list").lines().count();
        assert_eq!(LIST.len(), lines, "a line that is not understood");
    }

    #[test]
    fn every_charset_has_its_default() {
        for charset in Charset::ALL {
            let (name, of) = collation_name(charset.default_collation()).unwrap();
            assert_eq!(of, *charset, "{name}");
        }
    }
}
