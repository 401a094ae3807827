//! Hosts: objects that share a host share its paths, so a policy has the paths of the others that its own settings would cover.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use corsward_policy::scope::HostPattern;

use crate::blocks;
use crate::matches::{Beside, Match, arrange};
use crate::settings::{Block, BlockPath, Conditions, Elsewhere, Failure, Listener, Note, Settings};

/// The remark on settings without a host.
pub(crate) const NO_HOST: &str = "the settings name no host: the policy covers every host of its namespace; import again with --host";

/// The remark on settings that are left out as a whole.
const NO_RULE: &str = "every match with CORS has a regex for its path or conditions beside it, and a rule has a path alone: there is no \
                       policy to write";

/// An object with routes, such as an `Ingress`.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The name of the system.
    pub(crate) product: &'static str,
    /// Its name.
    pub(crate) name: String,
    /// Its namespace, where it has one.
    pub(crate) namespace: Option<String>,
    /// Its place, for remarks.
    pub(crate) place: String,
    /// Its `creationTimestamp`.
    pub(crate) created: Option<String>,
    /// The listeners that serve it; none: all.
    pub(crate) listeners: Vec<Listener>,
    /// Its routes, by their hosts.
    pub(crate) parts: Vec<Part>,
    /// The remarks on it.
    pub(crate) notes: Vec<Note>,
}

/// The routes of hosts.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The hosts; none: every one.
    pub(crate) hosts: Vec<String>,
    /// The matches in their order.
    pub(crate) matches: Vec<Match>,
}

/// The order in which a system tries the matches of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As written, those of the oldest object first, and those for every path last.
    Written,
    /// The exact path, then the longest one, then the oldest object.
    Longest,
}

/// The settings of the objects with CORS; each leaves out what the others have at its hosts.
pub(crate) fn policies(objects: &[Object], order: Order) -> Result<Vec<Settings>, Failure> {
    let mut all = Vec::new();
    let mut orphans = Vec::new();
    let mut lost = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        let mut own = Vec::new();
        let mut left_out = Vec::new();
        let mut elsewhere = Vec::new();
        for part in object.parts.iter().filter(|part| part.has_cors()) {
            for group in groups(objects, at, part) {
                own.push(settings(objects, at, &group, order, &mut left_out, &mut elsewhere));
            }
        }
        let is_one = own.len() == 1;
        let mut own: Vec<Settings> = own.into_iter().flatten().collect();
        if own.is_empty() && object.is_unsayable() {
            lost.push(Lost { place: object.place.clone(), notes: left_out, elsewhere });
            continue;
        }
        for settings in own.iter_mut().filter(|_| !is_one) {
            if let Some(host) = settings.hostnames.first() {
                let host = host.replace("*.", "").replace('.', "-").to_ascii_lowercase();
                settings.name = format!("{}-{host}", settings.name);
            }
        }
        match own.first_mut() {
            Some(first) => first.notes.extend(left_out),
            None => orphans.extend(left_out),
        }
        all.extend(own);
    }
    name_lost(&mut all, lost)?;
    let lone = objects.iter().filter(|object| !object.has_cors());
    orphans.extend(lone.flat_map(|object| object.notes.clone()));
    if let Some(first) = all.first_mut() {
        first.notes.extend(orphans);
    } else if let Some(note) = orphans.into_iter().next() {
        return Err(Failure::unreadable(note.place, note.text));
    }
    let hosts: Vec<Host> = objects.iter().flat_map(Object::hosts).collect();
    leave_alone(&mut all, &hosts);
    Ok(all)
}

/// A host of the settings.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// As written.
    pub(crate) name: String,
    /// The place of the object that names it.
    pub(crate) place: String,
    /// Whether it has CORS.
    pub(crate) has_cors: bool,
    /// The listeners that serve it; none: all.
    pub(crate) listeners: Vec<Listener>,
}

/// Settings with CORS that no rule says.
pub(crate) struct Lost {
    /// Their place.
    pub(crate) place: String,
    /// The remarks on them.
    pub(crate) notes: Vec<Note>,
    /// Requests that they answer.
    pub(crate) elsewhere: Vec<Elsewhere>,
}

/// The hosts of a part of an object, with the parts of others that have them too.
struct Group<'o> {
    hosts: Vec<String>,
    part: &'o Part,
    rivals: Vec<(usize, usize)>,
}

fn groups<'o>(objects: &[Object], at: usize, part: &'o Part) -> Vec<Group<'o>> {
    let mut groups: Vec<Group<'o>> = Vec::new();
    let hosts: Vec<Option<&String>> = match part.hosts.as_slice() {
        [] => vec![None],
        hosts => hosts.iter().map(Some).collect(),
    };
    for host in hosts {
        let is_shared = |other: &Part| match host {
            Some(host) => other.hosts.iter().any(|it| it.eq_ignore_ascii_case(host)),
            None => other.hosts.is_empty(),
        };
        let mut rivals = Vec::new();
        for (other_at, other) in objects.iter().enumerate() {
            if other_at == at
                || !objects
                    .get(at)
                    .is_some_and(|own| Listener::meet(&own.listeners, &other.listeners))
            {
                continue;
            }
            for (part_at, part) in other.parts.iter().enumerate() {
                if is_shared(part) {
                    rivals.push((other_at, part_at));
                }
            }
        }
        if let Some(group) = groups.iter_mut().find(|group| group.rivals == rivals) {
            group.hosts.extend(host.cloned());
        } else {
            let hosts = host.cloned().into_iter().collect();
            groups.push(Group { hosts, part, rivals });
        }
    }
    groups
}

/// The settings of one policy; absent: those of other objects are in force in their place.
fn settings(
    objects: &[Object],
    at: usize,
    group: &Group<'_>,
    order: Order,
    left_out: &mut Vec<Note>,
    lost: &mut Vec<Elsewhere>,
) -> Option<Settings> {
    let object = objects.get(at)?;
    let mut parts: Vec<(&Object, usize, &[Match])> = vec![(object, at, &group.part.matches)];
    for (other_at, part_at) in &group.rivals {
        if let Some(other) = objects.get(*other_at)
            && let Some(part) = other.parts.get(*part_at)
        {
            parts.push((other, *other_at, &part.matches));
        }
    }
    // An object of a file that no cluster wrote has no age, and the files have an order.
    let are_dated = parts.iter().all(|(object, ..)| object.created.is_some());
    parts.sort_by_key(|(object, at, _)| (object.created.clone().filter(|_| are_dated), *at));
    let matches = ordered(parts.iter().map(|(.., matches)| *matches), order);
    let mut notes = object.notes.clone();
    let (mut blocks, elsewhere) = arrange(matches, &mut notes);
    // The others with CORS have policies of their own, and the longer path decides.
    let is_own = |block: &Block| {
        let mut own = group.part.matches.iter();
        own.any(|own| own.path == block.path && own.layer == block.layer)
    };
    blocks.retain(|block| block.layer.is_none() || is_own(block));
    if blocks.iter().all(|block| block.layer.is_none()) {
        left_out.extend(notes);
        lost.extend(elsewhere.into_iter().map(|it| it.at(&group.hosts)));
        return None;
    }
    if group.hosts.is_empty() {
        notes.push(Note::decide("", &object.place, NO_HOST));
    }
    let hostnames = hostnames(&group.hosts, &object.place, &mut notes);
    let namespace = object.namespace.as_deref();
    let mut settings =
        blocks::settings(object.product, &object.name, namespace, hostnames, blocks, notes);
    settings.elsewhere = elsewhere;
    settings.listeners.clone_from(&object.listeners);
    Some(settings)
}

/// The matches of several objects in the order in which the system tries them.
fn ordered<'m>(parts: impl Iterator<Item = &'m [Match]>, order: Order) -> Vec<Match> {
    let is_plain = |it: &Match| matches!(it.beside, Beside::Nothing);
    if order == Order::Longest {
        let mut all: Vec<Match> = parts.flatten().cloned().collect();
        all.sort_by_key(|it| {
            let (rank, length) = match (&it.beside, &it.path) {
                (Beside::Regex(_), _) => (0, 0),
                (_, Some(BlockPath::Exact(path))) => (1, path.len()),
                (_, Some(BlockPath::Prefix(path) | BlockPath::Start(path))) => (2, path.len()),
                (_, None) => (3, 0),
            };
            (rank, Reverse(length), is_plain(it))
        });
        return all;
    }
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for matches in parts {
        let catch_all = matches.iter().position(|it| it.path.is_none() && is_plain(it));
        let (head, tail) =
            matches.split_at_checked(catch_all.unwrap_or(matches.len())).unwrap_or((matches, &[]));
        first.extend_from_slice(head);
        last.extend_from_slice(tail);
    }
    first.extend(last);
    first
}

/// Names settings that no rule says at the first policy; without a policy they are the failure.
pub(crate) fn name_lost(all: &mut [Settings], lost: Vec<Lost>) -> Result<(), Failure> {
    for Lost { place, notes, elsewhere } in lost {
        let Some(first) = all.first_mut() else {
            let mut text = NO_RULE.to_owned();
            for note in notes.iter().filter(|note| note.decide) {
                text = format!("{text}; {}", note.text);
            }
            return Err(Failure::unreadable(place, text));
        };
        first.notes.push(Note::decide("", &place, NO_RULE));
        first.notes.extend(notes);
        first.elsewhere.extend(elsewhere);
    }
    Ok(())
}

/// The hosts that `hostnames` can have, without ports, and a remark on each of the others.
pub(crate) fn hostnames(written: &[String], place: &str, notes: &mut Vec<Note>) -> Vec<String> {
    let mut hostnames: Vec<String> = Vec::new();
    for domain in written {
        let host = without_port(domain);
        if host.contains('.') && HostPattern::parse(host).is_ok() {
            if !hostnames.iter().any(|it| it == host) {
                hostnames.push(host.to_owned());
            }
            continue;
        }
        let text = format!(
            "the host `{domain}` is left out of `hostnames`: write the full names under which browsers reach it; a policy without \
             `hostnames` covers every host"
        );
        notes.push(Note::decide("", place, text));
    }
    hostnames
}

pub(crate) fn without_port(domain: &str) -> &str {
    domain.rsplit_once(':').map_or(domain, |(host, _)| host)
}

/// Adds a policy that leaves the hosts alone that the settings answer otherwise and a broader host of a policy would cover. `hosts`
/// has those of all settings.
pub(crate) fn leave_alone(all: &mut Vec<Settings>, hosts: &[Host]) {
    let mut taken: BTreeSet<(Option<String>, String)> = BTreeSet::new();
    for settings in &*all {
        let names = settings.hostnames.iter().map(|host| host.to_ascii_lowercase());
        taken.extend(names.map(|host| (settings.namespace.clone(), host)));
    }
    let lower = |host: &Host| without_port(&host.name).to_ascii_lowercase();
    let lower: Vec<String> = hosts.iter().map(lower).collect();
    let mut exceptions = Vec::new();
    for settings in &mut *all {
        let broad: Vec<String> = settings
            .hostnames
            .iter()
            .filter_map(|it| it.strip_prefix('*'))
            .map(str::to_ascii_lowercase)
            .collect();
        let same = settings.same_host_apart(&lower, hosts);
        settings.notes.extend(same);
        if broad.is_empty() && !settings.hostnames.is_empty() {
            continue;
        }
        let mut alone: Vec<String> = Vec::new();
        let mut apart = Vec::new();
        for (host, Host { place, has_cors, listeners, .. }) in lower.iter().zip(hosts) {
            let is_covered = broad.is_empty() || broad.iter().any(|broad| is_below(host, broad));
            let key = (settings.namespace.clone(), host.clone());
            if host == "*" || !is_covered || taken.contains(&key) {
                continue;
            }
            if !Listener::meet(&settings.listeners, listeners) {
                apart.push((key, place));
                continue;
            }
            if host.contains('.') && HostPattern::parse(host).is_ok() {
                taken.insert(key);
                alone.push(host.clone());
            } else if !has_cors {
                settings.add_other_host(host, place);
            }
        }
        apart.retain(|(key, _)| !taken.contains(key));
        settings.notes.extend(apart.into_iter().map(|((_, host), place)| apart_note(&host, place)));
        if !alone.is_empty() {
            exceptions.push(settings.exception(alone));
        }
    }
    all.extend(exceptions);
}

/// The remark on a host that a different listener serves too.
fn apart_note(host: &str, place: &str) -> Note {
    let text = format!(
        "the host `{host}` has other settings at another gateway, class or port, and a policy has none of these: it covers both"
    );
    Note::remark("", place, text)
}

/// Whether a host, or a pattern of hosts, is below `*` and this rest of a pattern.
fn is_below(host: &str, rest: &str) -> bool {
    host.strip_suffix(rest).is_some_and(|before| !before.is_empty() && before != "*")
}

// === impl Object ===

impl Object {
    fn has_cors(&self) -> bool {
        self.parts.iter().any(Part::has_cors)
    }

    /// Whether it has CORS, and no rule says where.
    fn is_unsayable(&self) -> bool {
        let matches = || self.parts.iter().flat_map(|part| &part.matches);
        let shared = || matches().filter(|it| it.layer.is_some());
        shared().next().is_some() && shared().all(|it| !matches!(it.beside, Beside::Nothing))
    }

    fn hosts(&self) -> impl Iterator<Item = Host> {
        self.parts.iter().flat_map(|part| {
            let host = |name: &String| Host {
                name: name.clone(),
                place: self.place.clone(),
                has_cors: part.has_cors(),
                listeners: self.listeners.clone(),
            };
            part.hosts.iter().map(host)
        })
    }
}

// === impl Part ===

impl Part {
    fn has_cors(&self) -> bool {
        self.matches.iter().any(|it| it.layer.is_some())
    }
}

// === impl Elsewhere ===

impl Elsewhere {
    /// The request at one of these hosts; none: any.
    pub(crate) fn at(mut self, hosts: &[String]) -> Self {
        let host = || hosts.first().map_or("*", |host| without_port(host)).replace('*', "a");
        self.conditions.authority.get_or_insert_with(host);
        self
    }
}

// === impl Settings ===

impl Settings {
    /// Names a host that the policy covers, the settings answer otherwise, and no `hostnames` says.
    fn add_other_host(&mut self, host: &str, place: &str) {
        let text = format!(
            "the host `{host}` has other settings, no `hostnames` says it, and the policy covers it: write the full names in a policy of \
             its own, with a rule for `/` and `mode: \"Off\"` where they have no CORS"
        );
        self.notes.push(Note::decide("", place, text));
        let authority = Some(host.replace('*', "a"));
        let conditions = Conditions { authority, ..Conditions::default() };
        let path = self.paths.first().cloned().unwrap_or_else(|| "/orders".to_owned());
        self.elsewhere.push(Elsewhere { conditions, path, layer: None });
    }

    /// The remarks on its own hosts that have no CORS at listeners which do not serve it.
    fn same_host_apart(&self, lower: &[String], hosts: &[Host]) -> Vec<Note> {
        let others = lower.iter().zip(hosts).filter(|(host, other)| {
            !other.has_cors
                && !Listener::meet(&self.listeners, &other.listeners)
                && self.hostnames.iter().any(|own| own.eq_ignore_ascii_case(host))
        });
        others.map(|(host, other)| apart_note(host, &other.place)).collect()
    }

    /// The settings of a policy that leaves hosts alone.
    fn exception(&self, hostnames: Vec<String>) -> Self {
        let text = format!(
            "these hosts have no settings of `{}`, whose policy would cover them: this one leaves them alone",
            self.name
        );
        let path = Some(BlockPath::Prefix("/".to_owned()));
        let mut settings = blocks::settings(
            self.product,
            &format!("{}-off", self.name),
            self.namespace.as_deref(),
            hostnames,
            Vec::new(),
            vec![Note::remark("", "", text)],
        );
        settings.blocks = vec![Block { path, layer: None }];
        settings
    }
}
