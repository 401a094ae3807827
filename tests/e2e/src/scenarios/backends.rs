//! The common complaints about CORS, at real back ends: present without a policy, and gone with one at the same pods.

mod fixture;

use anyhow::{Result, ensure};
use corsward_test_harness::cluster::socks_proxy::{ALLOW_ORIGIN, header, request};

use self::fixture::{BackendsFixture, complaint, ensure_read, ensure_refused, shown};
pub(super) use self::fixture::{policy, start};
use crate::scenario::Scenario;
use crate::scenario_cluster::ScenarioCluster;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new(
        "two Access-Control-Allow-Origin headers, of django-cors-headers and of the nginx before it, become one",
        two_layers,
    ),
    Scenario::new("django-cors-headers may stay switched on", left_switched_on),
    Scenario::new(
        "405 on OPTIONS: a view that never heard of preflights is asked by PUT",
        method_not_allowed,
    ),
    Scenario::new("a 401 without headers is read as a 401", unauthorized),
    Scenario::new("a 502 without headers is read as a 502", bad_gateway),
    Scenario::new(
        "nginx loses its headers on errors, and the page reads the error",
        lost_on_errors,
    ),
    Scenario::new(
        "nginx with `always` allows whoever asks and no preflight: now our pages, and no other",
        always,
    ),
    Scenario::new("`*` with credentials becomes the page's own origin", star),
    Scenario::new("a list of origins in one header becomes the one that asks", listed),
    Scenario::new("a header that the server around the view doubles becomes one", doubled),
    Scenario::new("a view that allows whoever asks allows our pages, and no other", reflected),
    Scenario::new(
        "a cached answer for another origin: with Vary the cache tells pages apart",
        cached,
    ),
    Scenario::new("a WebSocket from a stranger with our user's cookie is refused", websocket),
];

fn two_layers(cluster: &ScenarioCluster) -> Result<()> {
    let seen = |fixture: &BackendsFixture<'_>| {
        let answer = fixture.get("/session", Some(&fixture.front))?;
        let lines = answer.lines(|name| name == ALLOW_ORIGIN).count();
        let value = answer.get(ALLOW_ORIGIN).unwrap_or_default();
        ensure!(lines == 2 || value.contains(&b','), "there is one header: {}", shown(&answer));
        ensure_refused(&fixture.front, &answer)
    };
    complaint(cluster, "twice", seen, |fixture| {
        ensure_read(&fixture.front, 200, &fixture.get("/session", Some(&fixture.front))?)?;
        ensure_refused(&fixture.stranger, &fixture.get("/session", Some(&fixture.stranger))?)
    })
}

fn left_switched_on(cluster: &ScenarioCluster) -> Result<()> {
    let seen = |fixture: &BackendsFixture<'_>| {
        // It is set up well: what it knows, it does.
        ensure_read(&fixture.front, 200, &fixture.get("/session", Some(&fixture.front))?)?;
        ensure_refused(&fixture.admin, &fixture.get("/session", Some(&fixture.admin))?)
    };
    complaint(cluster, "tidy", seen, |fixture| {
        for origin in [&fixture.front, &fixture.admin] {
            ensure_read(origin, 200, &fixture.get("/session", Some(origin))?)?;
            ensure_read(origin, 401, &fixture.get("/orders", Some(origin))?)?;
        }
        ensure_refused(&fixture.stranger, &fixture.get("/session", Some(&fixture.stranger))?)
    })
}

fn method_not_allowed(cluster: &ScenarioCluster) -> Result<()> {
    let seen = |fixture: &BackendsFixture<'_>| {
        let preflight = fixture.preflight("/stock", &fixture.front)?;
        ensure!(preflight.status == 405, "a preflight is answered: {}", shown(&preflight));
        ensure!(
            !fixture.passes(&fixture.front, &preflight),
            "a browser goes on: {}",
            shown(&preflight)
        );
        Ok(())
    };
    complaint(cluster, "api", seen, |fixture| {
        let preflight = fixture.preflight("/stock", &fixture.front)?;
        ensure!(
            fixture.passes(&fixture.front, &preflight),
            "a browser stops: {}",
            shown(&preflight)
        );
        let put =
            fixture.send(&request("PUT", &fixture.host, "/stock", Some(&fixture.front), &[]))?;
        ensure_read(&fixture.front, 200, &put)?;
        let stranger = fixture.preflight("/stock", &fixture.stranger)?;
        ensure!(
            !fixture.passes(&fixture.stranger, &stranger),
            "a stranger may: {}",
            shown(&stranger)
        );
        Ok(())
    })
}

fn unauthorized(cluster: &ScenarioCluster) -> Result<()> {
    unread_error(cluster, "accounts", "/orders", 401)
}

fn bad_gateway(cluster: &ScenarioCluster) -> Result<()> {
    unread_error(cluster, "dead", "/", 502)
}

/// An error without headers, which a page cannot tell from any other failure.
fn unread_error(cluster: &ScenarioCluster, service: &str, path: &str, status: u16) -> Result<()> {
    let seen = |fixture: &BackendsFixture<'_>| {
        let answer = fixture.get(path, Some(&fixture.front))?;
        ensure!(answer.status == status, "{}", shown(&answer));
        ensure!(header(&answer, ALLOW_ORIGIN)?.is_none(), "it has the header: {}", shown(&answer));
        ensure_refused(&fixture.front, &answer)
    };
    complaint(cluster, service, seen, |fixture| {
        ensure_read(&fixture.front, status, &fixture.get(path, Some(&fixture.front))?)?;
        ensure_refused(&fixture.stranger, &fixture.get(path, Some(&fixture.stranger))?)
    })
}

fn lost_on_errors(cluster: &ScenarioCluster) -> Result<()> {
    let seen = |fixture: &BackendsFixture<'_>| {
        let well = fixture.get("/session", Some(&fixture.front))?;
        ensure!(header(&well, ALLOW_ORIGIN)?.is_some(), "no header on a 200: {}", shown(&well));
        let error = fixture.get("/orders", Some(&fixture.front))?;
        ensure!(error.status == 401, "{}", shown(&error));
        ensure_refused(&fixture.front, &error)
    };
    complaint(cluster, "forgetful", seen, |fixture| {
        ensure_read(&fixture.front, 200, &fixture.get("/session", Some(&fixture.front))?)?;
        ensure_read(&fixture.front, 401, &fixture.get("/orders", Some(&fixture.front))?)?;
        ensure_read(&fixture.front, 404, &fixture.get("/nowhere", Some(&fixture.front))?)
    })
}

fn always(cluster: &ScenarioCluster) -> Result<()> {
    let seen = |fixture: &BackendsFixture<'_>| {
        let stranger = fixture.get("/menu.json", Some(&fixture.stranger))?;
        let allowed = header(&stranger, ALLOW_ORIGIN)?;
        ensure!(
            allowed.as_ref() == Some(&fixture.stranger),
            "a stranger may not: {}",
            shown(&stranger)
        );
        let preflight = fixture.preflight("/menu.json", &fixture.front)?;
        ensure!(preflight.status == 405, "a preflight is answered: {}", shown(&preflight));
        Ok(())
    };
    complaint(cluster, "files", seen, |fixture| {
        ensure_read(&fixture.front, 200, &fixture.get("/menu.json", Some(&fixture.front))?)?;
        ensure_read(&fixture.front, 404, &fixture.get("/nothing", Some(&fixture.front))?)?;
        let preflight = fixture.preflight("/menu.json", &fixture.front)?;
        ensure!(
            fixture.passes(&fixture.front, &preflight),
            "a browser stops: {}",
            shown(&preflight)
        );
        ensure_refused(&fixture.stranger, &fixture.get("/menu.json", Some(&fixture.stranger))?)
    })
}

fn star(cluster: &ScenarioCluster) -> Result<()> {
    by_hand(cluster, "star", |fixture, value| {
        ensure!(value == "*", "it is `{value}`");
        ensure_refused(&fixture.front, &fixture.get("/star", Some(&fixture.front))?)
    })
}

fn listed(cluster: &ScenarioCluster) -> Result<()> {
    by_hand(cluster, "listed", |fixture, value| {
        ensure!(value.contains(", "), "it is `{value}`");
        ensure_refused(&fixture.front, &fixture.get("/listed", Some(&fixture.front))?)
    })
}

fn doubled(cluster: &ScenarioCluster) -> Result<()> {
    by_hand(cluster, "doubled", |fixture, value| {
        ensure!(value.matches(fixture.front.as_str()).count() == 2, "it is `{value}`");
        ensure_refused(&fixture.front, &fixture.get("/doubled", Some(&fixture.front))?)
    })
}

fn reflected(cluster: &ScenarioCluster) -> Result<()> {
    by_hand(cluster, "reflected", |fixture, value| {
        ensure!(value == fixture.front, "it is `{value}`");
        let stranger = fixture.get("/reflected", Some(&fixture.stranger))?;
        ensure!(stranger.vary().is_empty(), "it has a Vary: {}", shown(&stranger));
        let allowed = header(&stranger, ALLOW_ORIGIN)?;
        ensure!(
            allowed.as_ref() == Some(&fixture.stranger),
            "a stranger may not: {}",
            shown(&stranger)
        );
        Ok(())
    })
}

/// A view that writes the header itself: `seen` gets the lines of it, joined, that our page gets.
fn by_hand(
    cluster: &ScenarioCluster,
    view: &str,
    seen: impl Fn(&BackendsFixture<'_>, &str) -> Result<()>,
) -> Result<()> {
    let path = format!("/{view}");
    let seen = |fixture: &BackendsFixture<'_>| {
        let answer = fixture.get(&path, Some(&fixture.front))?;
        ensure!(answer.status == 200, "{}", shown(&answer));
        let value = answer.get(ALLOW_ORIGIN).unwrap_or_default();
        seen(fixture, &String::from_utf8_lossy(&value))
    };
    complaint(cluster, view, seen, |fixture| {
        for origin in [&fixture.front, &fixture.admin] {
            ensure_read(origin, 200, &fixture.get(&path, Some(origin))?)?;
        }
        ensure_refused(&fixture.stranger, &fixture.get(&path, Some(&fixture.stranger))?)
    })
}

fn cached(cluster: &ScenarioCluster) -> Result<()> {
    let seen = |fixture: &BackendsFixture<'_>| {
        let first = fixture.get("/prices?without", Some(&fixture.front))?;
        ensure!(header(&first, "x-cache")?.as_deref() == Some("MISS"), "{}", shown(&first));
        let second = fixture.get("/prices?without", Some(&fixture.admin))?;
        ensure!(header(&second, "x-cache")?.as_deref() == Some("HIT"), "{}", shown(&second));
        let allowed = header(&second, ALLOW_ORIGIN)?;
        ensure!(
            allowed.as_ref() == Some(&fixture.front),
            "not for the other page: {}",
            shown(&second)
        );
        Ok(())
    };
    complaint(cluster, "cdn", seen, |fixture| {
        for (from, origin) in [
            ("MISS", &fixture.front),
            ("MISS", &fixture.admin),
            ("HIT", &fixture.front),
            ("HIT", &fixture.admin),
        ] {
            let answer = fixture.get("/prices?with", Some(origin))?;
            ensure!(header(&answer, "x-cache")?.as_deref() == Some(from), "{}", shown(&answer));
            ensure_read(origin, 200, &answer)?;
        }
        ensure_refused(&fixture.stranger, &fixture.get("/prices?with", Some(&fixture.stranger))?)
    })
}

fn websocket(cluster: &ScenarioCluster) -> Result<()> {
    let handshake = |fixture: &BackendsFixture<'_>, origin: &str| {
        let lines = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            // A browser sends it along, whoever's page it is that connects.
            ("cookie", "user=alice"),
        ];
        fixture.send(&request("GET", &fixture.host, "/", Some(origin), &lines))
    };
    let seen = |fixture: &BackendsFixture<'_>| {
        let stranger = handshake(fixture, &fixture.stranger)?;
        ensure!(stranger.status == 101, "a stranger is refused: {}", shown(&stranger));
        Ok(())
    };
    complaint(cluster, "sockets", seen, |fixture| {
        for (origin, status) in
            [(&fixture.front, 101), (&fixture.admin, 101), (&fixture.stranger, 403)]
        {
            let answer = handshake(fixture, origin)?;
            ensure!(answer.status == status, "{origin}: {}", shown(&answer));
        }
        Ok(())
    })
}
