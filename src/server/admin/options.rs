//! `/v1/options`: what can be changed while the server runs.

use super::Here;
use super::input::Json;
use super::problem::Problem;
use crate::config::Effect;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// An option, as it is in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct Setting {
    /// Its key.
    #[schema(example = "sm.unsolicited_ack_frequency")]
    key: &'static str,
    /// Its value, written as in the file; null: it is absent.
    #[schema(example = 0)]
    value: Value,
    /// What it is by default; null: absent.
    #[schema(example = 0)]
    default: Value,
    /// The name of its type.
    r#type: String,
    /// The range or the words that are allowed.
    allowed: String,
    /// "open-streams": a change takes effect for open streams, too. "new-streams": for those that
    /// open from then on.
    effect: &'static str,
    /// What it does.
    text: String,
}

/// The options that can be changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct OptionList {
    /// In the order of the reference.
    options: Vec<Setting>,
}

/// Lists the options that can be changed while the server runs
#[utoipa::path(
    get, path = "/v1/options", tag = "server",
    responses((status = 200, body = OptionList)),
)]
pub(super) async fn list_options(Here(server): Here) -> Json<OptionList> {
    Json(all(&server))
}

/// Changes options
///
/// The body is an object: keys as the reference lists them, values as they are written in the file,
/// null for what may be absent. All of it takes effect, or nothing. It is in force at once, for open
/// streams or for new ones as each option says, and until the next reload or restart: nothing is
/// written to the file.
#[utoipa::path(
    patch, path = "/v1/options", tag = "server",
    request_body(
        content = inline(std::collections::HashMap<String, Value>),
        example = json!({"sm.unsolicited_ack_frequency": 4}),
    ),
    responses(
        (status = 200, body = OptionList, description = "All options, as they are now."),
        (status = 400, description = "The body is no object."),
        (status = 413, description = "The body is longer than 1 MiB."),
        (status = 415, description = "The body is not application/json."),
        (status = 422, description = "There is no such option, it cannot be changed now, or not to this value."),
    ),
)]
pub(super) async fn change_options(
    Here(server): Here,
    Json(changes): Json<Map<String, Value>>,
) -> Result<Json<OptionList>, Problem> {
    server.change_options(&changes).map_err(|problems| {
        let errors: Vec<_> = problems.iter().map(ToString::to_string).collect();
        let problem = Problem::of(StatusCode::UNPROCESSABLE_ENTITY);
        problem.because(errors.join("; ")).listing(errors)
    })?;
    Ok(Json(all(&server)))
}

fn all(server: &super::Server) -> OptionList {
    let config = server.config();
    let options = config.changeable().into_iter();
    let options = options.map(|option| Setting {
        key: option.key,
        value: option.value,
        default: option.default,
        r#type: option.type_name,
        allowed: option.allowed,
        effect: match option.effect {
            Effect::Live => "open-streams",
            Effect::NewStreams | Effect::Restart => "new-streams",
        },
        text: option.text,
    });
    OptionList {
        options: options.collect(),
    }
}
