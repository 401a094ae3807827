//! Implementation: a CORS layer of others, its version, and its way to run.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::probe::Setting;
use crate::{command, paths, tools};

/// A CORS layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Implementation {
    /// Its name, as `corsward explain` has it.
    pub(super) name: &'static str,
    platform: Platform,
    /// The application of `tests/atlas`.
    program: &'static str,
    /// The packages with its version; a program says its own.
    pub(super) packages: &'static [&'static str],
    /// Probes that it is not asked.
    pub(super) skips: &'static [&'static str],
}

/// The way in which a layer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Platform {
    Python,
    Node,
    Go,
    Rust,
    Java(Option<&'static str>),
    Nginx,
    Apache,
    Envoy,
    HaProxy,
}

use Platform::{Apache, Envoy, Go, HaProxy, Java, Nginx, Node, Python, Rust};

/// All of them, in the order of the page.
pub(super) const IMPLEMENTATIONS: [Implementation; 34] = [
    new("django-cors-headers", Python, "django_app", &["django", "django-cors-headers"]),
    new("flask-cors", Python, "flask_app", &["flask", "flask-cors"]),
    new("Starlette and FastAPI, CORSMiddleware", Python, "starlette_app", &["starlette"]),
    // Its own header makes a request end without an answer.
    Implementation {
        skips: &["P15"],
        ..new("aiohttp-cors", Python, "aiohttp_app", &["aiohttp", "aiohttp-cors"])
    },
    new("Falcon, CORSMiddleware", Python, "falcon_app", &["falcon"]),
    new("Litestar, CORSConfig", Python, "litestar_app", &["litestar"]),
    new("sanic-ext", Python, "sanic_app", &["sanic", "sanic-ext"]),
    new("quart-cors", Python, "quart_app", &["quart", "quart-cors"]),
    new("expressjs/cors", Node, "express", &["express", "cors"]),
    new("@fastify/cors", Node, "fastify", &["fastify", "@fastify/cors"]),
    new("@koa/cors", Node, "koa", &["koa", "@koa/cors"]),
    new("hono/cors", Node, "hono", &["hono", "@hono/node-server"]),
    new("hapi", Node, "hapi", &["@hapi/hapi"]),
    new("h3, handleCors", Node, "h3", &["h3"]),
    new("rs/cors", Go, "rs", &["github.com/rs/cors"]),
    new(
        "gin-contrib/cors",
        Go,
        "gin",
        &["github.com/gin-gonic/gin", "github.com/gin-contrib/cors"],
    ),
    new("go-chi/cors", Go, "chi", &["github.com/go-chi/chi/v5", "github.com/go-chi/cors"]),
    new("Echo, middleware.CORS", Go, "echo", &["github.com/labstack/echo/v5"]),
    new("Fiber, cors", Go, "fiber", &["github.com/gofiber/fiber/v3"]),
    new("gorilla/handlers, CORS", Go, "gorilla", &["github.com/gorilla/handlers"]),
    new("tower-http, CorsLayer", Rust, "tower-http", &["axum", "tower-http"]),
    new("actix-cors", Rust, "actix", &["actix-web", "actix-cors"]),
    new("poem, Cors", Rust, "poem", &["poem"]),
    new("salvo-cors", Rust, "salvo", &["salvo"]),
    new("Spring MVC", Java(None), "spring", &["spring-boot-starter-parent"]),
    new(
        "Spring, CorsFilter",
        Java(Some("--layer=filter")),
        "spring",
        &["spring-boot-starter-parent"],
    ),
    new("Vert.x, CorsHandler", Java(None), "vertx", &["vertx-web"]),
    new("Jetty, CrossOriginHandler", Java(None), "jetty", &["jetty-server"]),
    new("Micronaut", Java(None), "micronaut", &["micronaut-parent"]),
    new("Javalin", Java(None), "javalin", &["javalin"]),
    new("nginx, add_header", Nginx, "nginx.conf", &[]),
    new("Apache httpd, mod_headers", Apache, "apache.conf", &[]),
    new("Envoy, cors filter", Envoy, "envoy.yaml", &[]),
    new("HAProxy, set-header", HaProxy, "haproxy.cfg", &[]),
];

const fn new(
    name: &'static str,
    platform: Platform,
    program: &'static str,
    packages: &'static [&'static str],
) -> Implementation {
    Implementation { name, platform, program, packages, skips: &[] }
}

// === impl Implementation ===

impl Implementation {
    /// Whether it stands in front of an application instead of inside it.
    pub(super) fn is_proxy(&self) -> bool {
        matches!(self.platform, Nginx | Apache | Envoy | HaProxy)
    }

    /// The command that starts it with that setting, on `port`; a proxy has its files in `folder`, and its application on `upstream`.
    ///
    /// # Errors
    ///
    /// Fails if a part of it cannot be had.
    pub(super) fn command(
        &self,
        setting: Setting,
        port: u16,
        upstream: SocketAddr,
        folder: &Path,
    ) -> Result<Command> {
        let program = self.program;
        let mut command = match self.platform {
            Python => tools::atlas::python(program)?,
            Node => tools::atlas::node(program)?,
            Go => tools::atlas::go(program)?,
            Rust => tools::atlas::rust(program)?,
            Java(argument) => tools::atlas::java(program, argument)?,
            Nginx | Apache | Envoy | HaProxy => self.proxy(setting, port, upstream, folder)?,
        };
        command.env("PORT", port.to_string()).env("ORIGIN", setting.origin());
        command.env("NODE_ENV", "production");
        Ok(command)
    }

    fn proxy(
        &self,
        setting: Setting,
        port: u16,
        upstream: SocketAddr,
        folder: &Path,
    ) -> Result<Command> {
        let origin = setting.origin();
        let is_any = setting == Setting::Any;
        let expression = || format!("^{}$", origin.replace('.', r"\."));
        let matched = match self.platform {
            Nginx if is_any => "~.".to_owned(),
            Apache if is_any => ".+".to_owned(),
            Apache => expression(),
            HaProxy if is_any => "found".to_owned(),
            HaProxy => format!("str {origin}"),
            _ => origin.to_owned(),
        };
        let text =
            fs::read_to_string(paths::root().join("tests/atlas/proxies").join(self.program))?;
        let text = text
            .replace("{{FOLDER}}", &folder.display().to_string())
            .replace("{{MATCH}}", &matched)
            .replace("{{PORT}}", &port.to_string())
            .replace("{{UPSTREAM}}", &upstream.port().to_string());
        let text = match self.platform {
            Apache => {
                let modules = tools::atlas::apache_modules()?.display().to_string();
                text.replace("{{MODULES}}", &modules)
            }
            _ => text,
        };
        let file = folder.join(self.program);
        fs::write(&file, text)?;
        let mut command = Command::new(self.binary()?);
        match self.platform {
            Nginx => command.arg("-p").arg(folder).args(["-e", "stderr", "-c"]).arg(file),
            // One process: no worker stays when it is killed.
            Apache => command.args(["-X", "-f"]).arg(file),
            HaProxy => command.args(["-db", "-f"]).arg(file),
            _ => command
                .args(["--concurrency", "1", "--disable-hot-restart", "-l", "error", "-c"])
                .arg(file),
        };
        Ok(command)
    }

    fn binary(&self) -> Result<std::path::PathBuf> {
        match self.platform {
            Nginx => tools::nginx(),
            Apache => tools::atlas::apache(),
            HaProxy => tools::atlas::haproxy(),
            _ => tools::envoy(tools::ENVOY_VERSION),
        }
    }

    /// Its version: that of its packages, as their list has them, or as the program says.
    ///
    /// # Errors
    ///
    /// Fails if a list has no such package.
    pub(super) fn version(&self) -> Result<String> {
        let flag = match self.platform {
            Envoy => return Ok(tools::ENVOY_VERSION.to_owned()),
            Nginx | Apache | HaProxy => "-v",
            _ => return self.pinned(),
        };
        let said = Command::new(self.binary()?).arg(flag).output()?;
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let mut words = said.split([' ', '/', '\n']);
        let version = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        version.map(str::to_owned).with_context(|| format!("{} says {said}", self.name))
    }

    /// The versions that the list of packages pins.
    ///
    /// # Errors
    ///
    /// Fails if the list has no such package.
    pub(super) fn pinned(&self) -> Result<String> {
        let list = match self.platform {
            Python => "python/requirements.txt".to_owned(),
            Node => "node/package.json".to_owned(),
            Go => "go/go.mod".to_owned(),
            Rust => "rust/Cargo.toml".to_owned(),
            _ => format!("java/{}/pom.xml", self.program),
        };
        let text = fs::read_to_string(paths::root().join("tests/atlas").join(&list))?;
        let versions = self.packages.iter().map(|package| {
            let (line, from, to) = match self.platform {
                Python => (format!("\n{package}=="), "", ' '),
                Node => (format!("\"{package}\": "), "\"", '"'),
                Go => (format!("\t{package} "), "v", '\n'),
                Rust => (format!("\n{package} = "), "\"=", '"'),
                _ => (format!("<artifactId>{package}</artifactId>"), "<version>", '<'),
            };
            let (_, rest) =
                text.split_once(&line).with_context(|| format!("{list}: no {package}"))?;
            let (_, rest) = rest.split_once(from).context("a version")?;
            let version = rest.split(to).next().unwrap_or_default();
            Ok(format!("{} {version}", package.trim_start_matches("github.com/")))
        });
        Ok(versions.collect::<Result<Vec<_>>>()?.join("; "))
    }
}

/// Today's date.
///
/// # Errors
///
/// Fails if the system does not say.
pub(super) fn today() -> Result<String> {
    let said = command::read(Command::new("date").args(["-u", "+%F"]))?;
    Ok(String::from_utf8(said)?.trim().to_owned())
}
