//! The documentation of the API: the OpenAPI document, the page to browse it with, and the explanation of
//! every kind of failure.

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, header},
    middleware,
    response::Response,
    routing::get,
};
use bytes::Bytes;
use inventory_http::{Problem, ProblemType};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, OpenApi, Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::Type,
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{body, openapi, openapi::problems};

/// Where the page to browse the document is.
const PAGE_PATH: &str = "/api/docs";
/// What the page may do. Its script writes one style into the page, which is admitted by its hash, and its style
/// sheet holds images.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; \
    connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
/// Where the document is too.
const API_PATH: &str = "/api/openapi.json";

/// The routes that the OpenAPI document describes.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::new().routes(routes!(explain))
}

/// The document itself, and the page to browse it with.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>(document: &OpenApi) -> Router<S> {
    // Cannot fail: a document is texts and numbers only.
    let json = Bytes::from(document.to_json().unwrap_or_default());
    let serve = get(move || {
        let json = json.clone();
        async move { ([(header::CONTENT_TYPE, HeaderValue::from_static(body::JSON))], json) }
    });
    // The page's own files are in the binary: no other host is asked.
    let page = Router::from(SwaggerUi::new(PAGE_PATH).config(Config::from(openapi::PATH)));
    let page = page.layer(middleware::map_response(with_policy));
    Router::new().route(openapi::PATH, serve.clone()).route(API_PATH, serve).merge(page)
}

async fn with_policy(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(PAGE_POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// The parameter of `explainProblem` in the OpenAPI document.
struct SlugParameter;

impl IntoParams for SlugParameter {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let slugs = ProblemType::ALL.iter().map(|kind| kind.slug());
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(slugs));
        vec![
            ParameterBuilder::new()
                .name("slug")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The last segment of the problem's `type`."))
                .schema(Some(schema))
                .build(),
        ]
    }
}

problems!(ExplainProblems: BadRequest, NotFound, Internal, Timeout);

/// Explain a problem type
///
/// The `type` of a problem refers to this path.
#[utoipa::path(
    get, path = "/problems/{slug}", operation_id = "explainProblem", tag = "documentation", security(()),
    params(SlugParameter),
    responses(
        (status = 200, description = "The meaning of the problem, and what to do", body = String,
            content_type = "text/plain"),
        ExplainProblems,
    ),
)]
async fn explain(Path(slug): Path<String>) -> Result<String, Problem> {
    let Some(kind) = ProblemType::ALL.iter().find(|kind| kind.slug() == slug) else {
        return Err(Problem::new(ProblemType::NotFound, "there is no such kind of problem"));
    };
    Ok(format!("{}\n\nStatus {}\n\n{}\n", kind.title(), kind.status(), kind.about()))
}
