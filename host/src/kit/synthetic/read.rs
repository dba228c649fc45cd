//! From the text of a `provider.toml` to a description, or to what is wrong with it and where.
//!
//! What single values are is judged while they are read, which ends with the first that is wrong; what must fit
//! together is judged afterwards, and all of it is told.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use super::content::Kind;
use super::description::{Bin, Deletes, Description, Object, PageSize, Style};
use super::spelling::Member;
use crate::config::excerpt::FileText;
use crate::config::nearest::nearest;
use crate::config::{ConfigError, ConfigErrors, Place};

/// Reads a description from a file.
///
/// # Errors
/// Everything that is wrong with the file, each with its place.
pub fn load(path: &Path) -> Result<Description, ConfigErrors> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text),
        Err(error) => {
            let message = format!("cannot read the description of the provider: {error}");
            Err(ConfigErrors(vec![ConfigError { message, place: Place::File(path.to_owned()), help: None }]))
        }
    }
}

/// Reads a description; `path` is for messages.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn parse(path: &Path, text: &str) -> Result<Description, ConfigErrors> {
    let file = FileText { path: path.to_owned(), text: text.to_owned(), hidden: Vec::new() };
    let mut judge = Judge { file, errors: Vec::new() };
    match toml::from_str::<Description>(text) {
        Ok(description) => {
            judge.whole(&description);
            judge.errors.sort_by(|a, b| a.place.cmp(&b.place));
            if judge.errors.is_empty() { Ok(description) } else { Err(ConfigErrors(judge.errors)) }
        }
        Err(error) => {
            let message = error.message().replace('\n', ", ");
            let help = suggestion(&message);
            // The list of all names says less than the nearest one.
            let message = match (message.split_once(", expected"), &help) {
                (Some((short, _)), Some(_)) => short.to_owned(),
                _ => message,
            };
            judge.refuse(error.span().unwrap_or_default(), message, help);
            Err(ConfigErrors(judge.errors))
        }
    }
}

/// The nearest of the names that serde lists behind "unknown field `x`, expected one of `a`, `b`".
fn suggestion(message: &str) -> Option<String> {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (unknown, known) = names.split_first().filter(|_| message.starts_with("unknown "))?;
    nearest(unknown, known.iter().copied()).map(|near| format!("did you mean `{near}`?"))
}

struct Judge {
    file: FileText,
    errors: Vec<ConfigError>,
}

impl Judge {
    fn refuse(&mut self, at: Range<usize>, message: impl Into<String>, help: Option<String>) {
        let place = Place::Line(self.file.excerpt(&at));
        self.errors.push(ConfigError { message: message.into(), place, help });
    }

    fn whole(&mut self, description: &Description) {
        if description.objects.is_empty() {
            let place = Place::File(self.file.path.clone());
            let help = Some("describe one with [[object]]".to_owned());
            self.errors.push(ConfigError { message: "the provider has no object".to_owned(), place, help });
        }
        let mut names = BTreeSet::new();
        let mut paths = BTreeSet::new();
        for object in &description.objects {
            if !names.insert(object.name.get_ref()) {
                self.refuse(object.name.span(), format!("there are two objects {:?}", object.name.get_ref()), None);
            }
            self.path(&mut paths, &object.path, object.path.get_ref());
            if let Some(one) = &object.one {
                if one.get_ref().matches("{id}").count() != 1 {
                    self.refuse(
                        one.span(),
                        "`one` needs the place of the id",
                        Some("as in \"/v1/people/{id}\"".to_owned()),
                    );
                }
                self.path(&mut paths, one, one.get_ref());
            }
            if let Deletes::List { at: Bin::Path(bin), .. } = &object.deletes {
                self.path(&mut paths, &object.name, bin);
            }
            self.paging(object);
            self.sizes(object, object.page_size.as_ref().unwrap_or(&description.provider.page_size));
            self.fields(object, description);
        }
        for answer in &description.answers {
            self.path(&mut paths, &answer.path, &format!("{}{}", answer.path.get_ref(), method(&answer.method)));
        }
    }

    fn path(&mut self, paths: &mut BTreeSet<String>, at: &toml::Spanned<String>, path: &str) {
        if !path.starts_with('/') {
            self.refuse(at.span(), format!("a path begins with /, and {path:?} does not"), None);
        } else if path.starts_with(super::control::PREFIX) {
            self.refuse(at.span(), format!("{:?} is for the control protocol", super::control::PREFIX), None);
        } else if !paths.insert(path.to_owned()) {
            self.refuse(at.span(), format!("{path:?} is described twice"), None);
        }
    }

    fn paging(&mut self, object: &Object) {
        let (paging, at) = (object.paging.get_ref(), object.paging.span());
        let mut only = |given: bool, key: &str, styles: &[Style], of: &str| {
            if given && !styles.contains(&paging.style) {
                self.refuse(at.clone(), format!("`{key}` goes with style {of} only"), None);
            }
        };
        only(paging.lifetime.is_some(), "lifetime", &[Style::Cursor], "\"cursor\"");
        only(paging.first.is_some(), "first", &[Style::Page], "\"page\"");
        let next = [Style::Cursor, Style::Offset, Style::Page];
        only(paging.next.is_some(), "next", &next, "\"cursor\", \"offset\" or \"page\"");
        if paging.style == Style::Cursor && paging.next.is_none() && paging.next_url.is_none() && !paging.link {
            let help = Some("say where the token is: `next`, `next_url` or `link`".to_owned());
            self.refuse(at.clone(), "nobody could get beyond the first page", help);
        }
        let members = [&paging.next, &paging.next_url, &paging.more, &paging.total];
        let places: Vec<&Member> = members.into_iter().flatten().chain(&object.envelope).collect();
        if object.envelope.is_none() && !places.is_empty() {
            let help = Some("name the place of the list with `envelope`, or use `link`".to_owned());
            self.refuse(at.clone(), "the answer is the list itself, and has no room for anything else", help);
        }
        if let Some((a, b)) = collision(&places) {
            self.refuse(at, format!("`{a}` and `{b}` are at the same place in the answer"), None);
        }
    }

    fn sizes(&mut self, object: &Object, size: &PageSize) {
        if size.default == 0 || size.max.is_some_and(|max| max < size.default) {
            let message = "`page_size`: a page has at least one record, and `max` is not below `default`";
            self.refuse(object.name.span(), message, None);
        }
    }

    fn fields(&mut self, object: &Object, description: &Description) {
        let mut places = vec![&object.id.field, &object.updated.field];
        places.extend(object.created.as_ref().map(|created| &created.field));
        match &object.deletes {
            Deletes::Tombstones { field, .. } | Deletes::List { field: Some(field), .. } => places.push(field),
            Deletes::List { field: None, .. } | Deletes::Absence | Deletes::None => {}
        }
        places.extend(object.fields.keys());
        if let Some((a, b)) = collision(&places) {
            self.refuse(object.name.span(), format!("`{a}` and `{b}` are at the same place in a record"), None);
        }
        let names = || description.objects.iter().map(|object| object.name.get_ref().as_str());
        for kind in object.fields.values() {
            let Kind::Ref(target) = kind.get_ref() else { continue };
            if !names().any(|name| name == target) {
                let help = nearest(target, names()).map(|near| format!("did you mean `{near}`?"));
                self.refuse(kind.span(), format!("there is no object {target:?} to refer to"), help);
            }
        }
    }
}

/// A marker that keeps answers to other methods apart.
fn method(method: &str) -> String {
    if method.eq_ignore_ascii_case("GET") { String::new() } else { format!(" {}", method.to_uppercase()) }
}

fn collision<'a>(places: &[&'a Member]) -> Option<(&'a Member, &'a Member)> {
    let pairs = places.iter().enumerate().flat_map(|(at, a)| places.iter().skip(at + 1).map(move |b| (*a, *b)));
    pairs.into_iter().find(|(a, b)| a.collides(b))
}
