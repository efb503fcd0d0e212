//! Tables that schema changes leave behind for a while: nobody's data, so that no rule fits them.

/// Whether a table is one that Vitess, gh-ost or pt-online-schema-change made for itself.
pub fn is_internal(table: &str) -> bool {
    let Some(rest) = table.strip_prefix('_') else { return false };
    rest.ends_with("_old") || is_vitess(rest) || is_online_ddl(rest)
}

/// `vt_HOLD_<32 hex>_<14 digits>`, and today's `vt_hld_<32 hex>_<14 digits>_`.
fn is_vitess(rest: &str) -> bool {
    let parts: Vec<&str> = rest.split('_').collect();
    match parts.as_slice() {
        ["vt", "HOLD" | "PURGE" | "EVAC" | "DROP", id, time] => is_hex(id, 32) && is_time(time),
        ["vt", kind, id, time, ""] => kind.len() == 3 && is_hex(id, 32) && is_time(time),
        _ => false,
    }
}

/// `<8>_<4>_<4>_<4>_<12 hex>_<14 digits>_gho`, with the parts of a UUID.
fn is_online_ddl(rest: &str) -> bool {
    let parts: Vec<&str> = rest.split('_').collect();
    match parts.as_slice() {
        [a, b, c, d, e, time, "gho" | "ghc" | "del" | "new" | "vrepl"] => {
            is_hex(a, 8)
                && [b, c, d].iter().all(|part| is_hex(part, 4))
                && is_hex(e, 12)
                && is_time(time)
        }
        _ => false,
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_time(text: &str) -> bool {
    text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::is_internal;

    #[test]
    fn only_tables_of_schema_changes_are_internal() {
        for table in [
            "_vt_HOLD_6ace8bcef73211ea87e9f875a4d24e90_20200915120410",
            "_vt_PURGE_1f9194b43b2011eb8a0104ed332e05c2_20201210194431",
            "_vt_hld_6ace8bcef73211ea87e9f875a4d24e90_20200915120410_",
            "_4e5dcf80_354b_11eb_82cd_f875a4d24e90_20201203114014_gho",
            "_4e5dcf80_354b_11eb_82cd_f875a4d24e90_20201203114014_vrepl",
            "_product_old",
        ] {
            assert!(is_internal(table), "{table}");
        }
        for table in [
            "product_old",
            "_product",
            "_vt",
            "_vt_HOLD_1_2",
            "vt_hld_6ace_2_",
            "",
            "_",
            "_4e5dcf80_354b_11eb_82cd_f875a4d24e90_2020_gho",
        ] {
            assert!(!is_internal(table), "{table}");
        }
    }
}
