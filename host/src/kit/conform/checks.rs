//! The checks by their codes. A code never changes its meaning and is never used again.

/// What kind of promise a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// What the contract says in words.
    Contract,
    /// Any page can be continued by anybody.
    Resume,
    /// What goes wrong outside is told truthfully.
    Faults,
    /// Nothing is lost between pages and between readings.
    Paging,
    /// Unusual data passes.
    Limits,
    /// Nothing is green that is incomplete.
    Honesty,
}

impl Family {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 6] = [Self::Contract, Self::Resume, Self::Faults, Self::Paging, Self::Limits, Self::Honesty];

    /// For people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Resume => "resume",
            Self::Faults => "faults",
            Self::Paging => "paging",
            Self::Limits => "limits",
            Self::Honesty => "honesty",
        }
    }
}

/// One check.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// The stable code.
    pub code: &'static str,
    /// A name in words.
    pub name: &'static str,
    /// What it is about.
    pub family: Family,
    /// What holds where it passes, in one line.
    pub promise: &'static str,
    /// The page about it, in Markdown.
    pub page: &'static str,
}

macro_rules! checks {
    ($($id:ident $code:literal $name:literal $family:ident $promise:literal;)+) => {
        $(
            #[doc = $promise]
            pub const $id: &Check = &Check {
                code: $code,
                name: $name,
                family: Family::$family,
                promise: $promise,
                page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/checks/", $code, ".md")),
            };
        )+

        /// Every check, by code.
        pub const ALL: &[&Check] = &[$($id),+];
    };
}

checks! {
    DESCRIBE_STABLE "SY-1101" "describe-stable" Contract "`describe` gives the same answer every time";
    DESCRIBE_SILENT "SY-1102" "describe-silent" Contract "`describe` sends no request";
    CHECK_PASSES "SY-1103" "check-passes" Contract "`check` accepts credentials that work";
    DISCOVER_STABLE "SY-1104" "discover-stable" Contract "`discover` lists the same objects every time";
    OBJECTS_FETCHABLE "SY-1105" "objects-fetchable" Contract "every object that `discover` lists can be read";
    UNKNOWN_OBJECT "SY-1106" "unknown-object" Contract "an object that does not exist is an error, not an empty page";
    SCHEMA "SY-1107" "schema" Contract "records match the schema of their object";
    ID_PRESENT "SY-1108" "id-present" Contract "every record has an id that can be stored";
    ID_UNIQUE "SY-1109" "id-unique" Contract "an id occurs once in a page";
    CURSOR_ADVANCES "SY-1110" "cursor-advances" Contract "a page with more to come has a cursor that did not come before";
    CURSOR_FOREIGN "SY-1111" "cursor-foreign" Contract "a cursor that the connector cannot read is told as expired";
    PAGE_LIMITS "SY-1112" "page-limits" Contract "pages and cursors keep to the limits of the contract";
    HOSTS_DECLARED "SY-1113" "hosts-declared" Contract "requests go to declared hosts, without headers that are the host's";
    TIMES "SY-1114" "times" Contract "times are RFC 3339 in UTC";
    DELETES_DECLARED "SY-1115" "deletes-declared" Contract "deletions show the way the object says they do";
    PAGE_BOUNDARY "SY-1201" "page-boundary" Resume "a page read again from its cursor, elsewhere and later, is the same";
    KILLED "SY-1202" "killed" Resume "a reading killed at any request continues without loss";
    STATUS_401 "SY-1301" "status-401" Faults "401 is told as unauthorized";
    STATUS_403 "SY-1302" "status-403" Faults "403 is told as forbidden";
    STATUS_404 "SY-1303" "status-404" Faults "404 is an error, not an empty answer";
    STATUS_429_AFTER "SY-1304" "status-429-retry-after" Faults "429 with Retry-After is told as rate limited, with the time";
    STATUS_429 "SY-1305" "status-429" Faults "429 is told as rate limited";
    STATUS_500 "SY-1306" "status-500" Faults "500 is told as unavailable";
    STATUS_503 "SY-1307" "status-503" Faults "503 is told as unavailable";
    TIMEOUT "SY-1308" "timeout" Faults "no answer in time is told as unavailable";
    CUT_BODY "SY-1309" "cut-body" Faults "an answer that breaks off is told as unavailable";
    EMPTY_BODY "SY-1310" "empty-body" Faults "an empty answer is an error";
    MALFORMED_JSON "SY-1311" "malformed-json" Faults "an answer that is not what it should be is an error";
    HTML_PAGE "SY-1312" "html-page" Faults "a web page in place of data is an error";
    REDIRECT "SY-1313" "redirect" Faults "a redirect to somewhere else is an error";
    DUPLICATE "SY-1314" "duplicate-answer" Faults "the answer before, given twice, loses nothing";
    RECOVERY "SY-1315" "recovery" Faults "when a fault is gone, the reading continues as if it had not been";
    FIRST_READING "SY-1401" "first-reading" Paging "the first reading has everything";
    CHANGES "SY-1402" "changes" Paging "the next reading has what was created and changed";
    EQUAL_STAMPS "SY-1403" "equal-stamps" Paging "more records with one stamp than fit on a page";
    CHANGING "SY-1404" "changing-while-paging" Paging "records that change between two pages";
    RESULT_CAP "SY-1405" "result-cap" Paging "more results than the provider gives for one query";
    INDEX_LAG "SY-1406" "index-lag" Paging "changes that the provider shows late";
    CLOCK_SKEW "SY-1407" "clock-skew" Paging "a host whose clock is wrong by an hour";
    DELETES "SY-1408" "deletes" Paging "what was deleted is told as the object says";
    LARGEST_PAGE "SY-1501" "page-size" Limits "any page size that a host may ask for gives the same records";
    UNKNOWN_FIELDS "SY-1502" "unknown-fields" Limits "fields that nobody knew change nothing";
    NULLS "SY-1503" "nulls" Limits "fields that are null lose no record and break nothing";
    UNICODE "SY-1504" "unicode" Limits "text comes through to the last character";
    EXACT_NUMBERS "SY-1505" "exact-numbers" Limits "numbers come through to the last digit";
    MORE_LIE "SY-1601" "more-lie" Honesty "a reading that ends has read everything";
    SWALLOWED_ERROR "SY-1602" "swallowed-error" Honesty "an error is never a page";
    EMPTY_OBJECT "SY-1603" "empty-object" Honesty "records in the answers are records in the pages";
}

/// The check of a code or a name, in whatever case.
#[must_use]
pub fn find(code_or_name: &str) -> Option<&'static Check> {
    ALL.iter()
        .find(|check| check.code.eq_ignore_ascii_case(code_or_name) || check.name.eq_ignore_ascii_case(code_or_name))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_code_of_its_own_and_a_page_that_says_what_to_do() {
        let mut codes: Vec<_> = ALL.iter().map(|check| check.code).collect();
        codes.dedup();
        assert_eq!(codes.len(), ALL.len());
        for check in ALL {
            let title = format!("# {} {}\n", check.code, check.name);
            assert!(check.page.starts_with(&title), "{}: the page begins with {title:?}", check.code);
            for part in ["## What is wrong", "## Why it matters", "## What to do"] {
                assert!(check.page.contains(part), "{}: the page has no {part:?}", check.code);
            }
        }
        assert_eq!(find("sy-1301"), Some(STATUS_401));
        assert_eq!(find("killed"), Some(KILLED));
    }
}
