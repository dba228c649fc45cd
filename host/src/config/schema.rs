//! The table of keys, and the macro that declares one section of it.

use super::nearest::nearest;
use super::reader::Reader;
use super::sections;

/// One key of the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// Name of the type.
    pub(super) kind: fn() -> String,
    /// May be given by a file's name (`<name>_file`), is never shown.
    pub(super) secret: bool,
    /// As it would be written; empty for "not set". `{data_dir}` stands for `host.data_dir`.
    pub(super) default: &'static str,
    /// Smallest and largest value.
    pub(super) range: Option<(&'static str, &'static str)>,
    /// Lines of its documentation.
    pub(super) doc: &'static [&'static str],
}

/// A section as the rest of this module sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SectionInfo {
    /// Dotted; a segment in angle brackets stands for any name.
    pub(super) path: &'static str,
    pub(super) doc: &'static [&'static str],
    pub(super) keys: &'static [Key],
}

/// A section: a struct whose fields are keys.
pub(super) trait Section: Sized {
    const PATH: &'static str;
    const INFO: SectionInfo;

    /// Reads every key, reporting all that is wrong; `None` if anything was.
    fn read(reader: &mut Reader, path: &str) -> Option<Self>;
}

/// All sections, in the order of the reference.
pub(super) const SECTIONS: [SectionInfo; 14] = [
    sections::Host::INFO,
    sections::Store::INFO,
    sections::Queue::INFO,
    sections::Sqs::INFO,
    sections::Schedule::INFO,
    sections::Provider::INFO,
    sections::Retrieve::INFO,
    sections::Process::INFO,
    sections::Connectors::INFO,
    sections::Limits::INFO,
    sections::Egress::INFO,
    sections::Secrets::INFO,
    sections::Http::INFO,
    sections::Log::INFO,
];

/// What a dotted path means.
pub(super) enum Meaning {
    /// A key.
    Key { secret: bool },
    /// A section, or the beginning of the path of one.
    Section,
    /// Nothing; the whole path of what was probably meant.
    Unknown { nearest: Option<String> },
}

/// Looks a path up.
pub(super) fn meaning(path: &str) -> Meaning {
    if SECTIONS.iter().any(|section| covers(section.path, path)) {
        return Meaning::Section;
    }
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let section = SECTIONS.iter().find(|section| segments_match(section.path, parent));
    let keys = section.map(|section| section.keys).unwrap_or_default();
    if let Some(key) = keys.iter().find(|key| key.name == name) {
        return Meaning::Key { secret: key.secret };
    }
    if keys.iter().any(|key| key.secret && name.strip_suffix("_file") == Some(key.name)) {
        return Meaning::Key { secret: false };
    }
    let subsections = SECTIONS.iter().filter_map(|section| match section.path.rsplit_once('.') {
        Some((above, last)) => (above == parent).then_some(last),
        None => parent.is_empty().then_some(section.path),
    });
    let sibling = nearest(name, keys.iter().map(|key| key.name).chain(subsections));
    let nearest = match sibling {
        Some(sibling) if parent.is_empty() => Some(sibling.to_owned()),
        Some(sibling) => Some(format!("{parent}.{sibling}")),
        None => elsewhere(path, name),
    };
    Meaning::Unknown { nearest }
}

/// The same key in another section (`throttle` under `[retrieve]`), or a section's name with a slip in it.
fn elsewhere(path: &str, name: &str) -> Option<String> {
    let paths: Vec<String> = SECTIONS
        .iter()
        .flat_map(|section| section.keys.iter().map(move |key| format!("{}.{}", section.path, key.name)))
        .collect();
    let same_name = || paths.iter().find(|known| known.rsplit_once('.').is_some_and(|(_, last)| last == name));
    nearest(path, paths.iter().map(String::as_str))
        .or_else(|| same_name().filter(|_| path.contains('.')).map(String::as_str))
        .map(str::to_owned)
}

/// Whether `path` is the section's own path or a beginning of it.
fn covers(section: &str, path: &str) -> bool {
    let mut wanted = section.split('.');
    path.split('.').all(|segment| wanted.next().is_some_and(|want| want == segment || want.starts_with('<')))
}

fn segments_match(section: &str, path: &str) -> bool {
    section.split('.').count() == path.split('.').count() && covers(section, path)
}

/// Declares a section: the struct, its table of keys, and how it is read.
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])*
        $name:ident = $path:literal {
            $( $(#[doc = $doc:literal])* $field:ident: $type:ty = $default:literal $(in $min:literal ..= $max:literal)?, )+
        }
    ) => {
        $(#[doc = $section_doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                #[doc = concat!("\n\nDefault: `", $default, "`.")]
                pub $field: $type,
            )+
        }

        impl $crate::config::schema::Section for $name {
            const PATH: &'static str = $path;
            const INFO: $crate::config::schema::SectionInfo = $crate::config::schema::SectionInfo {
                path: $path,
                doc: &[$($section_doc),*],
                keys: &[$( key!($field, $type, $default, [$($min, $max)?], [$($doc),*]) ),+],
            };

            fn read(reader: &mut $crate::config::reader::Reader, path: &str) -> Option<Self> {
                $( let $field = reader.value::<$type>(
                    path,
                    &key!($field, $type, $default, [$($min, $max)?], [$($doc),*]),
                ); )+
                Some(Self { $($field: $field?),+ })
            }
        }
    };
}

macro_rules! key {
    (@range) => { None };
    (@range $min:literal, $max:literal) => { Some(($min, $max)) };
    ($field:ident, $type:ty, $default:literal, [$($range:literal),*], [$($doc:literal),*]) => {
        $crate::config::schema::Key {
            name: stringify!($field),
            kind: <$type as $crate::config::value::Value>::kind,
            secret: <$type as $crate::config::value::Value>::SECRET,
            default: $default,
            range: key!(@range $($range),*),
            doc: &[$($doc),*],
        }
    };
}

pub(super) use {key, section};
