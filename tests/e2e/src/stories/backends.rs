//! What people complain about, at the back ends they have: seen without a policy, and gone with one at the same pods.

mod scene;

use anyhow::{Result, ensure};

use self::scene::{Scene, complaint, ensure_read, ensure_refused, shown};
pub(super) use self::scene::{policy, start};
use crate::cluster::Cluster;
use crate::door::{ALLOW_ORIGIN, header, request};
use crate::story::Story;

pub(crate) const STORIES: &[Story] = &[
    Story::new(
        "two Access-Control-Allow-Origin headers, of django-cors-headers and of the nginx before it, become one",
        two_layers,
    ),
    Story::new("django-cors-headers may stay switched on", left_switched_on),
    Story::new(
        "405 on OPTIONS: a view that never heard of preflights is asked by PUT",
        method_not_allowed,
    ),
    Story::new("a 401 without headers is read as a 401", unauthorized),
    Story::new("a 502 without headers is read as a 502", bad_gateway),
    Story::new("nginx loses its headers on errors, and the page reads the error", lost_on_errors),
    Story::new(
        "nginx with `always` allows whoever asks and no preflight: now our pages, and no other",
        always,
    ),
    Story::new("`*` with credentials becomes the page's own origin", star),
    Story::new("a list of origins in one header becomes the one that asks", listed),
    Story::new("a header that the server around the view doubles becomes one", doubled),
    Story::new("a view that allows whoever asks allows our pages, and no other", reflected),
    Story::new("a cached answer for another origin: with Vary the cache tells pages apart", cached),
    Story::new("a WebSocket from a stranger with our user's cookie is refused", websocket),
];

fn two_layers(cluster: &Cluster) -> Result<()> {
    let seen = |scene: &Scene<'_>| {
        let answer = scene.get("/session", Some(&scene.front))?;
        let lines = answer.lines(|name| name == ALLOW_ORIGIN).count();
        let value = answer.get(ALLOW_ORIGIN).unwrap_or_default();
        ensure!(lines == 2 || value.contains(&b','), "there is one header: {}", shown(&answer));
        ensure_refused(&scene.front, &answer)
    };
    complaint(cluster, "twice", seen, |scene| {
        ensure_read(&scene.front, 200, &scene.get("/session", Some(&scene.front))?)?;
        ensure_refused(&scene.stranger, &scene.get("/session", Some(&scene.stranger))?)
    })
}

fn left_switched_on(cluster: &Cluster) -> Result<()> {
    let seen = |scene: &Scene<'_>| {
        // It is set up well: what it knows, it does.
        ensure_read(&scene.front, 200, &scene.get("/session", Some(&scene.front))?)?;
        ensure_refused(&scene.admin, &scene.get("/session", Some(&scene.admin))?)
    };
    complaint(cluster, "tidy", seen, |scene| {
        for origin in [&scene.front, &scene.admin] {
            ensure_read(origin, 200, &scene.get("/session", Some(origin))?)?;
            ensure_read(origin, 401, &scene.get("/orders", Some(origin))?)?;
        }
        ensure_refused(&scene.stranger, &scene.get("/session", Some(&scene.stranger))?)
    })
}

fn method_not_allowed(cluster: &Cluster) -> Result<()> {
    let seen = |scene: &Scene<'_>| {
        let preflight = scene.preflight("/stock", &scene.front)?;
        ensure!(preflight.status == 405, "a preflight is answered: {}", shown(&preflight));
        ensure!(
            !scene.passes(&scene.front, &preflight),
            "a browser goes on: {}",
            shown(&preflight)
        );
        Ok(())
    };
    complaint(cluster, "api", seen, |scene| {
        let preflight = scene.preflight("/stock", &scene.front)?;
        ensure!(scene.passes(&scene.front, &preflight), "a browser stops: {}", shown(&preflight));
        let put = scene.send(&request("PUT", &scene.host, "/stock", Some(&scene.front), &[]))?;
        ensure_read(&scene.front, 200, &put)?;
        let stranger = scene.preflight("/stock", &scene.stranger)?;
        ensure!(!scene.passes(&scene.stranger, &stranger), "a stranger may: {}", shown(&stranger));
        Ok(())
    })
}

fn unauthorized(cluster: &Cluster) -> Result<()> {
    unread_error(cluster, "accounts", "/orders", 401)
}

fn bad_gateway(cluster: &Cluster) -> Result<()> {
    unread_error(cluster, "dead", "/", 502)
}

/// An error without headers, which a page cannot tell from any other failure.
fn unread_error(cluster: &Cluster, service: &str, path: &str, status: u16) -> Result<()> {
    let seen = |scene: &Scene<'_>| {
        let answer = scene.get(path, Some(&scene.front))?;
        ensure!(answer.status == status, "{}", shown(&answer));
        ensure!(header(&answer, ALLOW_ORIGIN)?.is_none(), "it has the header: {}", shown(&answer));
        ensure_refused(&scene.front, &answer)
    };
    complaint(cluster, service, seen, |scene| {
        ensure_read(&scene.front, status, &scene.get(path, Some(&scene.front))?)?;
        ensure_refused(&scene.stranger, &scene.get(path, Some(&scene.stranger))?)
    })
}

fn lost_on_errors(cluster: &Cluster) -> Result<()> {
    let seen = |scene: &Scene<'_>| {
        let well = scene.get("/session", Some(&scene.front))?;
        ensure!(header(&well, ALLOW_ORIGIN)?.is_some(), "no header on a 200: {}", shown(&well));
        let error = scene.get("/orders", Some(&scene.front))?;
        ensure!(error.status == 401, "{}", shown(&error));
        ensure_refused(&scene.front, &error)
    };
    complaint(cluster, "forgetful", seen, |scene| {
        ensure_read(&scene.front, 200, &scene.get("/session", Some(&scene.front))?)?;
        ensure_read(&scene.front, 401, &scene.get("/orders", Some(&scene.front))?)?;
        ensure_read(&scene.front, 404, &scene.get("/nowhere", Some(&scene.front))?)
    })
}

fn always(cluster: &Cluster) -> Result<()> {
    let seen = |scene: &Scene<'_>| {
        let stranger = scene.get("/menu.json", Some(&scene.stranger))?;
        let allowed = header(&stranger, ALLOW_ORIGIN)?;
        ensure!(
            allowed.as_ref() == Some(&scene.stranger),
            "a stranger may not: {}",
            shown(&stranger)
        );
        let preflight = scene.preflight("/menu.json", &scene.front)?;
        ensure!(preflight.status == 405, "a preflight is answered: {}", shown(&preflight));
        Ok(())
    };
    complaint(cluster, "files", seen, |scene| {
        ensure_read(&scene.front, 200, &scene.get("/menu.json", Some(&scene.front))?)?;
        ensure_read(&scene.front, 404, &scene.get("/nothing", Some(&scene.front))?)?;
        let preflight = scene.preflight("/menu.json", &scene.front)?;
        ensure!(scene.passes(&scene.front, &preflight), "a browser stops: {}", shown(&preflight));
        ensure_refused(&scene.stranger, &scene.get("/menu.json", Some(&scene.stranger))?)
    })
}

fn star(cluster: &Cluster) -> Result<()> {
    by_hand(cluster, "star", |scene, value| {
        ensure!(value == "*", "it is `{value}`");
        ensure_refused(&scene.front, &scene.get("/star", Some(&scene.front))?)
    })
}

fn listed(cluster: &Cluster) -> Result<()> {
    by_hand(cluster, "listed", |scene, value| {
        ensure!(value.contains(", "), "it is `{value}`");
        ensure_refused(&scene.front, &scene.get("/listed", Some(&scene.front))?)
    })
}

fn doubled(cluster: &Cluster) -> Result<()> {
    by_hand(cluster, "doubled", |scene, value| {
        ensure!(value.matches(scene.front.as_str()).count() == 2, "it is `{value}`");
        ensure_refused(&scene.front, &scene.get("/doubled", Some(&scene.front))?)
    })
}

fn reflected(cluster: &Cluster) -> Result<()> {
    by_hand(cluster, "reflected", |scene, value| {
        ensure!(value == scene.front, "it is `{value}`");
        let stranger = scene.get("/reflected", Some(&scene.stranger))?;
        ensure!(stranger.vary().is_empty(), "it has a Vary: {}", shown(&stranger));
        let allowed = header(&stranger, ALLOW_ORIGIN)?;
        ensure!(
            allowed.as_ref() == Some(&scene.stranger),
            "a stranger may not: {}",
            shown(&stranger)
        );
        Ok(())
    })
}

/// A view that writes the header itself: `seen` gets the lines of it, joined, that our page gets.
fn by_hand(
    cluster: &Cluster,
    view: &str,
    seen: impl Fn(&Scene<'_>, &str) -> Result<()>,
) -> Result<()> {
    let path = format!("/{view}");
    let seen = |scene: &Scene<'_>| {
        let answer = scene.get(&path, Some(&scene.front))?;
        ensure!(answer.status == 200, "{}", shown(&answer));
        let value = answer.get(ALLOW_ORIGIN).unwrap_or_default();
        seen(scene, &String::from_utf8_lossy(&value))
    };
    complaint(cluster, view, seen, |scene| {
        for origin in [&scene.front, &scene.admin] {
            ensure_read(origin, 200, &scene.get(&path, Some(origin))?)?;
        }
        ensure_refused(&scene.stranger, &scene.get(&path, Some(&scene.stranger))?)
    })
}

fn cached(cluster: &Cluster) -> Result<()> {
    let seen = |scene: &Scene<'_>| {
        let first = scene.get("/prices?without", Some(&scene.front))?;
        ensure!(header(&first, "x-cache")?.as_deref() == Some("MISS"), "{}", shown(&first));
        let second = scene.get("/prices?without", Some(&scene.admin))?;
        ensure!(header(&second, "x-cache")?.as_deref() == Some("HIT"), "{}", shown(&second));
        let allowed = header(&second, ALLOW_ORIGIN)?;
        ensure!(
            allowed.as_ref() == Some(&scene.front),
            "not for the other page: {}",
            shown(&second)
        );
        Ok(())
    };
    complaint(cluster, "cdn", seen, |scene| {
        for (from, origin) in [
            ("MISS", &scene.front),
            ("MISS", &scene.admin),
            ("HIT", &scene.front),
            ("HIT", &scene.admin),
        ] {
            let answer = scene.get("/prices?with", Some(origin))?;
            ensure!(header(&answer, "x-cache")?.as_deref() == Some(from), "{}", shown(&answer));
            ensure_read(origin, 200, &answer)?;
        }
        ensure_refused(&scene.stranger, &scene.get("/prices?with", Some(&scene.stranger))?)
    })
}

fn websocket(cluster: &Cluster) -> Result<()> {
    let handshake = |scene: &Scene<'_>, origin: &str| {
        let lines = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            // A browser sends it along, whoever's page it is that connects.
            ("cookie", "user=alice"),
        ];
        scene.send(&request("GET", &scene.host, "/", Some(origin), &lines))
    };
    let seen = |scene: &Scene<'_>| {
        let stranger = handshake(scene, &scene.stranger)?;
        ensure!(stranger.status == 101, "a stranger is refused: {}", shown(&stranger));
        Ok(())
    };
    complaint(cluster, "sockets", seen, |scene| {
        for (origin, status) in [(&scene.front, 101), (&scene.admin, 101), (&scene.stranger, 403)] {
            let answer = handshake(scene, origin)?;
            ensure!(answer.status == status, "{origin}: {}", shown(&answer));
        }
        Ok(())
    })
}
