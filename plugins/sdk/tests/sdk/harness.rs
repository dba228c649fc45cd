//! The harness catches what the host would refuse.

use syncline_sdk::testing::{FixedClock, Harness, MockHttp, json};
use syncline_sdk::{Connector, Context, Error, Interaction, Manifest, ObjectType, Page, Request, State};

/// Counts down from the number in its cursor; each object has its own fault.
#[derive(Default)]
struct Countdown;

syncline_sdk::export_connector!(Countdown);

impl Connector for Countdown {
    fn describe(&self) -> Manifest {
        Manifest::new("countdown", "1.0.0", "Countdown")
    }

    fn check(&self, ctx: &Context<'_>) -> Result<(), Error> {
        ctx.get("https://api.example.com/me").send()?.error_for_status().map(drop)
    }

    fn discover(&self, _: &Context<'_>) -> Result<Vec<ObjectType>, Error> {
        Ok(vec![ObjectType::full("numbers", "custom")])
    }

    fn fetch(&self, ctx: &Context<'_>, object: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let left: u32 = cursor.map_or(Ok(3), str::parse).map_err(|_| Error::CursorExpired(None))?;
        let record = Interaction::present(left.to_string(), r#"{"n":1}"#);
        Ok(match object {
            "stalled" => Page::more(vec![record], left.to_string()),
            "nameless" => Page::done(vec![Interaction::present("", "{}")], "0"),
            "text" => Page::done(vec![Interaction::present("1", r#""not an object""#)], "0"),
            "endless" => Page::done(vec![], ""),
            "export" if ctx.now_ms() < 60_000 => Page::wait("3", 30),
            _ if left > 1 => Page::more(vec![record], (left - 1).to_string()),
            _ => Page::done(vec![record, Interaction::merged("9", "1")], "3").pass_complete(),
        })
    }
}

#[test]
fn a_run_follows_the_cursors_to_its_end() {
    let reading = Harness::new(&Countdown).read_all("numbers", None).unwrap();
    assert_eq!((reading.pages, reading.cursor.as_str(), reading.pass_complete), (3, "3", true));
    let ids: Vec<&str> = reading.interactions.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["3", "2", "1", "9"]);
    assert_eq!(reading.landed()["9"].state, State::MergedInto("1".to_owned()));
}

#[test]
fn a_run_continues_from_a_cursor_and_returns_the_connectors_errors() {
    assert_eq!(Harness::new(&Countdown).read_all("numbers", Some("1")).unwrap().pages, 1);
    let error = Harness::new(&Countdown).read_all("numbers", Some("x")).unwrap_err();
    assert_eq!(error, Error::CursorExpired(None));
}

#[test]
fn waiting_moves_the_clock_and_may_repeat_the_cursor() {
    let clock = FixedClock::new(0);
    let reading = Harness::new(&Countdown).clock(clock).read_all("export", None).unwrap();
    assert_eq!((reading.waited, reading.interactions.len()), (60, 4));
}

#[test]
#[should_panic(expected = "a cursor came back")]
fn a_cursor_that_comes_back_fails_the_test() {
    let _ = Harness::new(&Countdown).read_all("stalled", None);
}

#[test]
#[should_panic(expected = "not an id")]
fn a_record_without_an_id_fails_the_test() {
    let _ = Harness::new(&Countdown).read_all("nameless", None);
}

#[test]
#[should_panic(expected = "not a JSON object")]
fn data_that_is_no_object_fails_the_test() {
    let _ = Harness::new(&Countdown).read_all("text", None);
}

#[test]
#[should_panic(expected = "a cursor of 0 bytes")]
fn an_empty_cursor_fails_the_test() {
    let _ = Harness::new(&Countdown).read_all("endless", None);
}

#[test]
fn the_mock_answers_and_remembers() {
    let http = MockHttp::new(|request: &Request| json(if request.path() == "/me" { 200 } else { 404 }, "ok"));
    let harness = Harness::new(&Countdown).http(http.clone());
    assert_eq!(Countdown.check(&harness.ctx()), Ok(()));
    assert_eq!(http.requests()[0].url, "https://api.example.com/me");
    assert_eq!(http.count(), 1);
}
