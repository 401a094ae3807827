//! Spring Cloud Gateway.

use std::fs;

use corsward_import::Source;
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use xtask::tools;

use crate::reverse_proxy::ReverseProxy;
use crate::side_by_side::{FEWEST, compare, import};

/// A public path, a single path, all others, and a path that comes too late: Spring takes the first pattern that matches.
const SETTINGS: &str = r#"
spring:
  cloud:
    gateway:
      server:
        webflux:
          globalcors:
            cors-configurations:
              '[/public/**]':
                allowed-origins: "*"
                allowed-headers: "*"
              '[/upload]':
                allowed-origins: [https://shop.example]
                allowed-methods: "*"
              '[/**]':
                allowedOrigins: "https://shop.example/"
                allowedOriginPatterns: ["https://*.preview.example", "http://localhost:[*]"]
                allowedMethods: [GET, PUT]
                allowedHeaders: [content-type, x-a]
                exposedHeaders: [x-id]
                allowCredentials: true
                maxAge: 600
              '[/late/**]':
                allowed-origins: [https://late.example]
"#;

/// A document over another one, a document of a profile, and a route with settings of its own.
const DOCUMENTS: &str = r#"
spring.cloud.gateway.server.webflux:
  globalcors.cors-configurations:
    '[/**]':
      allowed-origins: [https://base.example, https://old.example]
      allowed-methods: [GET, PUT]
  routes:
  - id: admin
    uri: http://${UPSTREAM}
    predicates: ['Path=/admin/**']
    metadata:
      cors:
        allowedOrigins: https://admin.example
        allowedMethods: [GET, POST]
        allowed-headers: [x-a]
        maxAge: 30
  - id: shop
    uri: http://${UPSTREAM}
    predicates: ['Path=/**']
---
spring.cloud.gateway.server.webflux.globalcors.cors-configurations:
  '[/**]':
    allowedOrigins: [https://prod.example]
  '[/public/**]':
    allowedOrigins: "*"
---
spring.config.activate.on-profile: staging
spring.cloud.gateway.server.webflux.globalcors.cors-configurations:
  '[/**]':
    allowedOrigins: [https://staging.example]
---
spring.cloud.gateway.server.webflux.globalcors.cors-configurations:
  '[/late/**]':
    allowedOrigins: [https://late.example]
"#;

#[test]
fn the_report_on_a_spring_cloud_gateway_names_what_a_real_one_does_otherwise() {
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let mut requests = 0;
    for settings in [SETTINGS, DOCUMENTS] {
        let gateway = ReverseProxy::start("Spring Cloud Gateway", |folder, address, upstream| {
            let file = folder.join("settings.yaml");
            fs::write(&file, settings).unwrap();
            let mut command = tools::spring_gateway().unwrap();
            command.env("PORT", address.port().to_string());
            command.env("UPSTREAM", upstream.to_string()).env("SETTINGS", file);
            command
        });
        let import = import(Source::Spring, "application.yaml", settings);
        requests += compare(&import, &mut fixture, |_, exchange| gateway.answer(exchange));
    }
    assert!(requests >= FEWEST, "{requests}");
}
