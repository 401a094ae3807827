//! Reasons about values that do not fit the resource, or what its readers make of them.

use std::fmt;

use corsward_policy::finding::{
    Explain, OneLine, Place, Proposal, Quoted, Sentence, Written, entries, join,
};

/// Reasons about a value that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeReason {
    /// A field that a policy does not have.
    UnknownField {
        /// The field's name.
        name: String,
        /// The intended value, if it is recognized.
        meant: Option<Box<Meant>>,
        /// The argument of `kubectl explain` that lists the fields.
        explain: String,
    },
    /// A value that belongs to a different field.
    Misplaced {
        /// The written value, as JSON.
        found: String,
        /// The other field.
        meant: Box<Meant>,
    },
    /// A value by which other systems answer with the origin of the request.
    Reflected {
        /// The written value, as JSON.
        found: String,
    },
    /// A mapping with the fields of other systems.
    ForeignMapping {
        /// The written value, as JSON.
        found: String,
        /// The intended value, if it is recognized.
        instead: Option<Written>,
    },
    /// An entry that is a match of Istio, Envoy or Envoy Gateway, in a list of texts.
    Match {
        /// The entry, as JSON has it.
        found: String,
        /// The intended entry, if it is recognized, and its list if that is a different one. Several entries are a
        /// list.
        entry: Option<Box<(Option<&'static str>, Written)>>,
        /// An origin of a different host that the match accepts too.
        accepts: Option<String>,
    },
    /// A value that nothing can be made of.
    WrongShape {
        /// The reason, in a parser's words.
        message: String,
        /// The argument of `kubectl explain` that describes it.
        explain: String,
    },
    /// A value of the wrong type.
    WrongType {
        /// The expected type, such as `a whole number`.
        expected: &'static str,
        /// The written value, as JSON.
        found: String,
        /// The intended value, if it is recognized.
        instead: Option<Written>,
        /// The argument of `kubectl explain` that describes the field.
        explain: String,
    },
    /// A word that is none of those that may stand there.
    UnknownWord {
        /// The written word.
        word: String,
        /// The permitted words.
        known: Vec<String>,
        /// The one among them that looks like it.
        similar: Option<String>,
        /// The fix if none of them fits.
        advice: Option<&'static str>,
    },
    /// A field that must be there.
    MissingField {
        /// The value that is meant, where that can be told.
        instead: Option<Written>,
        /// The argument of `kubectl explain` that describes the field.
        explain: String,
    },
    /// Too few or too many of something.
    Length {
        /// The number of entries.
        count: i64,
        /// Of what.
        what: &'static str,
        /// The permitted numbers.
        allowed: String,
    },
    /// A text without quotes that is no text in YAML 1.1, which is what `kubectl` reads.
    Unquoted {
        /// The written text.
        written: String,
        /// The value that `kubectl` reads, as JSON.
        read: String,
        /// Whether that refuses it, or there is no `kubectl` on the way.
        refused: bool,
    },
}

/// The intended field in place of a misplaced one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// A field of the resource.
    Field(MeantField),
    /// No field: what to do instead.
    Advice(&'static str),
}

/// The field that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeantField {
    /// The mapping that the unknown field is in, from the root of the object.
    pub beside: String,
    /// The mapping that it is in itself.
    pub around: String,
    /// Its name there.
    pub leaf: String,
    /// The value to write there, if it differs from the written one.
    pub value: Option<Written>,
    /// The value as it stands, where it is short enough to be shown.
    pub present: Option<Written>,
    /// Whether the value fits there, and no other one is there.
    pub is_edit: bool,
    /// Whether the object is refused without that field.
    pub is_required: bool,
    /// A note for the author.
    pub note: &'static str,
}

// === impl ShapeReason ===

impl Explain for ShapeReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::UnknownField { name, meant, explain } => {
                unknown_field(name, meant.as_deref(), explain)
            }
            Self::Misplaced { found, meant } => misplaced(found, meant),
            Self::Reflected { found } => Sentence::new(
                "CORS-E533",
                format!(
                    "{} stands for the origin of each request, which allows every origin",
                    Quoted(found)
                ),
                "list each origin that may read responses, such as `[\"https://app.example\"]`",
            ),
            Self::ForeignMapping { found, instead } => write_or(
                "CORS-E534",
                format!("{} is a mapping as other systems write it", Quoted(found)),
                instead.as_ref(),
                "list each path that is meant in a rule of its own, as `{type: PathPrefix, value: /api}`",
            ),
            Self::Match { found, entry, accepts } => {
                of_match(found, entry.as_deref(), accepts.as_deref())
            }
            Self::WrongShape { message, explain } => Sentence::new(
                "CORS-E504",
                format!("the value does not fit ({})", OneLine(message)),
                format!("see what {} says", KubectlExplain(explain)),
            ),
            Self::WrongType { expected, found, instead, explain } => write_or(
                "CORS-E509",
                format!("{} is not {expected}", Quoted(found)),
                instead.as_ref(),
                format!("write {expected}, as {} shows", KubectlExplain(explain)),
            ),
            Self::UnknownWord { word, known, similar, advice } => {
                let known: Vec<String> =
                    known.iter().map(|word| Quoted(word).to_string()).collect();
                let matter = format!("{} is none of {}", Quoted(word), known.join(", "));
                let similar = similar.as_deref().map(Written::text);
                let fix = advice.unwrap_or("write one of them");
                write_or("CORS-E510", matter, similar.as_ref(), fix)
            }
            Self::MissingField { instead, explain } => write_or(
                "CORS-E511",
                "the field is missing".to_owned(),
                instead.as_ref(),
                format!("write it, as {} shows", KubectlExplain(explain)),
            ),
            Self::Length { count, what, allowed } => Sentence::new(
                "CORS-E512",
                format!("it has {count} {what}"),
                format!("write {allowed}"),
            ),
            // In the object the quotes are there already: no edit could add them.
            Self::Unquoted { written, read, refused } => Sentence::new(
                if *refused { "CORS-E513" } else { "CORS-W501" },
                format!("{} without quotes is {} to `kubectl`", Quoted(written), Quoted(read)),
                format!("write {}", Quoted(&format!("\"{written}\""))),
            ),
        }
    }
}

/// To write `instead`, or else what the fix says.
fn write_or(
    code: &'static str,
    matter: String,
    instead: Option<&Written>,
    fix: impl Into<String>,
) -> Sentence {
    match instead {
        Some(instead) => Sentence::write(code, matter, instead.clone()),
        None => Sentence::new(code, matter, fix),
    }
}

fn unknown_field(name: &str, meant: Option<&Meant>, explain: &str) -> Sentence {
    let mut matter = format!("{} is not a field that may stand here", Quoted(name));
    let mut moved = None;
    let mut is_required = false;
    let fix = match meant {
        None => format!("remove it, or see what {} lists", KubectlExplain(explain)),
        Some(Meant::Advice(advice)) => (*advice).to_owned(),
        Some(Meant::Field(meant)) => {
            if meant.is_in_dots(name) {
                matter.push_str(": dots do not nest");
            }
            moved = meant.edit();
            is_required = meant.is_required;
            let fix = meant.fix(name);
            if is_required { fix } else { format!("{fix}, or remove it") }
        }
    };
    let mut sentence = Sentence::new("CORS-E503", matter, fix);
    sentence.edits.extend(moved);
    if is_required { sentence } else { sentence.with_edit(Proposal::Remove) }
}

fn misplaced(found: &str, meant: &Meant) -> Sentence {
    let matter = format!("{} is a value of another field", Quoted(found));
    let (fix, moved) = match meant {
        Meant::Advice(advice) => ((*advice).to_owned(), None),
        Meant::Field(meant) => (format!("{}, or remove it", meant.fix("")), meant.edit()),
    };
    let mut sentence = Sentence::new("CORS-E532", matter, fix);
    sentence.edits.extend(moved);
    sentence.with_edit(Proposal::Remove)
}

fn of_match(
    found: &str,
    entry: Option<&(Option<&'static str>, Written)>,
    accepts: Option<&str>,
) -> Sentence {
    const CODE: &str = "CORS-E516";
    let accepts =
        accepts.map(|origin| format!(" which {} meets too,", Quoted(origin))).unwrap_or_default();
    let matter = format!(
        "{} is a match as Istio and Envoy write it,{accepts} and an entry is a text",
        Quoted(found)
    );
    let Some((Some(list), value)) = entry else {
        let value = entry.map(|(_, value)| value);
        if let Some(Written::List(several)) = value {
            let texts: Vec<String> =
                several.iter().filter_map(Written::as_text).map(str::to_owned).collect();
            return entries(CODE, matter, &texts, "list each text that is meant");
        }
        return write_or(CODE, matter, value, "list each text that is meant");
    };
    let fix = format!("write {} into `{list}`", Quoted(&value.to_string()));
    let entries = match value {
        Written::List(_) => value.clone(),
        entry => Written::List(vec![entry.clone()]),
    };
    let moved = Proposal::Move(Place::beside(list), Some(entries));
    Sentence { code: CODE, matter, fix, edits: vec![moved] }
}

// === impl MeantField ===

impl MeantField {
    fn edit(&self) -> Option<Proposal> {
        let field = join(&self.around, &self.leaf);
        self.is_edit.then(|| Proposal::Move(Place::At(field), self.value.clone()))
    }

    /// Is the unknown field called by the way to this one?
    fn is_in_dots(&self, name: &str) -> bool {
        name.strip_suffix(self.leaf.as_str()).is_some_and(|way| way.ends_with('.'))
    }

    /// The fix for the field called `name`.
    fn fix(&self, name: &str) -> String {
        let Self { beside, around, leaf, value, present, note, .. } = self;
        if around == beside {
            let text = match value {
                Some(value) => format!("{leaf}: {value}"),
                None => leaf.clone(),
            };
            return format!("write {}{note}", Quoted(&text));
        }
        let value = value.as_ref().or(present.as_ref());
        let value = value.cloned().unwrap_or_else(|| Written::text("\u{2026}"));
        let below = match beside.as_str() {
            "" => Some(around.as_str()),
            beside => around.strip_prefix(beside).and_then(|rest| rest.strip_prefix('.')),
        };
        let way = below.unwrap_or_default().rsplit('.').filter(|name| !name.is_empty());
        let nest = |inner, name: &str| Written::Mapping(vec![(name.to_owned(), inner)]);
        let mut nested = nest(value, leaf);
        for name in way {
            nested = nest(nested, name);
        }
        // The braces of a flow mapping are not needed around the whole.
        let text = nested.to_string();
        let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let verb = if name.ends_with(leaf.as_str()) { "move" } else { "write" };
        let into = Quoted(below.unwrap_or(around));
        format!("{verb} it into {into}: {}{note}", Quoted(text.unwrap_or_default()))
    }
}

/// A command that shows the manual of a field.
struct KubectlExplain<'a>(&'a str);

// === impl KubectlExplain ===

impl fmt::Display for KubectlExplain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`kubectl explain {}`", self.0)
    }
}
