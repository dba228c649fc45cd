//! `docs/reference/checks.md`, written from the table of checks.

use std::fmt::Write as _;

use super::checks::{ALL, Family};

const INTRODUCTION: &str = "\
# The checks of `connector test`

<!-- Written from host/src/kit/conform/checks.rs: UPDATE_DOCS=1 cargo test -p syncline reference -->

Every check has a code that never changes its meaning and is never used again. `syncline explain SY-1301` (or
`syncline explain status-401`) prints its page from the binary; the pages are also here, in [checks](checks).

## How the suite works

1. It asks the connector what it is, a second and a third time.
2. Against a synthetic provider it reads each object from the very beginning, makes changes, lets the provider's time go
   on by two hours, reads again, and keeps what passed the egress gate in a cassette. Without one it takes the cassettes
   of `connector.toml`. With both it uses both.
3. It replays the cassette, and judges every page and every record.
4. It replays each page again, with a difference: another clock, a kill at a request, a fault in the place of an answer,
   unusual data. The clock stands still and random numbers come from a seed, so a failure comes again in the next run. Of
   a reading of more than 24 pages the first twelve and the last twelve are tried.
5. Against a synthetic provider it keeps the object in step, live, while the provider's data changes, and compares with
   the provider's truth.

Requests pass the same gate as those of a host at work: policy, retries, redirects, caps. Only waits are left out.

A check that cannot be looked at is *skipped*, with the reason: the object has no deletes, the provider has no such knob,
the cassette holds no `discover`. A skipped check is no failure.

One cause is told once. Where an object cannot be read to its end, or no reading of it has everything, step 5 is skipped
and names the check that comes first. After a failure in step 5 everything is read anew, and records that such a plain
reading gets wrong are not held against the checks that follow. Where the next reading does not have what changed
(SY-1402), nothing else about next readings is looked at. So run the suite again after each mend.
";

const CONCLUSION: &str = "
SY-1501 is read live as well, and needs a synthetic provider. So do the live half of SY-1202, and SY-1103.

## What a fault must become

For every request of every tried page the answer is replaced, for that request and for its repetitions by the host.

| in the place of the answer | the call must end as |
|---|---|
| 401 | `unauthorized` |
| 403 | `forbidden` |
| 404 | `unexpected`, `other`, `forbidden` or `cursor-expired` |
| 429 with `Retry-After: 37` | `rate-limited`, with 37 seconds |
| 429 without | `rate-limited` |
| 500, a timeout, a cut body | `unavailable` |
| 503 | `unavailable` or `rate-limited` |
| an empty body, broken JSON, an HTML page, a redirect | `unexpected`, `unavailable`, `other`, or `unauthorized` |
| the answer before it | one of those, `cursor-expired`, or stalled |

The recorded page itself is right as well: the connector coped. Any other page is right only if the reading that goes on
from it either ends with an error or brings every record; see SY-1602. After the fault the page is read once more, and must
be the recorded one; see SY-1315.
";

/// The reference page.
fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for family in Family::ALL {
        // Writing to a string cannot fail.
        let _ = write!(page, "\n## {}\n\n", heading(family));
        page.push_str("| code | name | holds where it passes |\n|---|---|---|\n");
        for check in ALL.iter().filter(|check| check.family == family) {
            let code = check.code;
            let _ = writeln!(page, "| [{code}](checks/{code}.md) | `{}` | {} |", check.name, check.promise);
        }
    }
    page.push_str(CONCLUSION);
    page
}

const fn heading(family: Family) -> &'static str {
    match family {
        Family::Contract => "Contract: what the contract says in words",
        Family::Resume => "Resume: any page can be continued by anybody",
        Family::Faults => "Faults: what goes wrong outside is told truthfully",
        Family::Paging => "Paging: nothing is lost between pages and between readings; needs a synthetic provider",
        Family::Limits => "Limits: unusual data passes",
        Family::Honesty => "Honesty: nothing is green that is incomplete",
    }
}

#[test]
fn the_page_in_the_repository_is_the_one_the_table_says() {
    crate::reference::kept("reference/checks.md", &markdown());
}
