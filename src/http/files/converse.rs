//! The page that starts an installed Converse.js with its configuration filled in.

use std::path::Path;

use serde_json::json;

use super::ClientSettings;

/// Where an installed Converse.js keeps its files, relative to the client directory: the npm
/// package, its `dist` itself, and a directory in which `npm install converse.js` was run.
const LAYOUTS: [&str; 3] = ["dist/", "", "node_modules/converse.js/dist/"];

/// A Converse.js that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Converse {
    /// Where its files are, below the client directory; empty or with a slash at the end.
    assets: &'static str,
}

impl Converse {
    /// Looks for it in `root`.
    pub(super) fn find(root: &Path) -> Option<Self> {
        let holds_it = |assets: &&str| root.join(assets).join("converse.min.js").is_file();
        LAYOUTS
            .into_iter()
            .find(holds_it)
            .map(|assets| Self { assets })
    }

    /// The page. It loads from this server alone. Both scripts are modules: Converse must be
    /// since version 14, and what starts it has to run after it.
    pub(super) fn page(self, domain: &str) -> String {
        let assets = self.assets;
        let domain = quick_xml::escape::escape(domain);
        format!(
            r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chat on {domain}</title>
<link rel="icon" href="{assets}images/favicon.ico">
<link rel="stylesheet" href="{assets}converse.min.css">
<script type="module" src="{assets}converse.min.js"></script>
<script type="module" src="{START_SCRIPT}"></script>
</head>
<body class="converse-fullscreen">
<noscript>This chat client needs JavaScript.</noscript>
<div id="conversejs-bg"></div>
</body>
</html>
"#
        )
    }

    /// The script that starts it. The URLs are made from the page's own, so that they fit
    /// whichever name and port the page was reached by.
    pub(super) fn start_script(self, settings: &ClientSettings) -> String {
        let options = json!({
            "assets_path": self.assets,
            "websocket_url": settings.websocket_path,
            "bosh_service_url": settings.bosh_path,
        });
        let mut fixed = json!({
            "allow_registration": settings.registration,
            // Else it asks a list of public providers, on another host.
            "autocomplete_providers_url": "",
            "discover_connection_methods": false,
            "loglevel": "warn",
            "view_mode": "fullscreen",
        });
        let domain_setting = if settings.is_only_domain {
            "default_domain"
        } else {
            "domain_placeholder"
        };
        fixed[domain_setting] = json!(settings.domain);
        format!(
            r"'use strict';
const options = {fixed};
const here = {options};
const absolute = (path) => new URL(path, location.href).href;
options.assets_path = absolute(here.assets_path || './');
options.websocket_url = absolute(here.websocket_url).replace(/^http/, 'ws');
if (here.bosh_service_url) options.bosh_service_url = absolute(here.bosh_service_url);
converse.initialize(options);
"
        )
    }
}

/// What the page may load and reach. Converse styles elements inline, decodes with WebAssembly,
/// and shows pictures and media that people send links to.
pub(super) const PAGE_POLICY: &str = "default-src 'self'; \
    script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
    img-src * data: blob:; media-src * data: blob:; font-src 'self' data:; \
    connect-src 'self' ws: wss: https:; object-src 'none'; base-uri 'self'; \
    form-action 'self'; frame-ancestors 'self'";

/// The name of the script beside the page.
pub(super) const START_SCRIPT: &str = "stanzad-start.js";
