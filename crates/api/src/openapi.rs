//! The OpenAPI document: assembled from the types and the routes, without a running service.

use std::collections::BTreeMap;

use inventory_http::{MEDIA_TYPE, ProblemDocument, ProblemType, is_limited};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Content, Header, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder,
        Ref, RefOr, Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        response::{Response, ResponseBuilder},
        schema::{Schema, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

/// The name of the bearer token among the security schemes.
const BEARER: &str = "bearer";

/// Where the document is.
pub(crate) const PATH: &str = "/openapi.json";

const ABOUT: &str = "The catalogue of components that an organisation stocks. Every change is committed \
    together with one event; the events form a stream that can be replayed. Errors are \
    `application/problem+json` (RFC 9457), and the `type` of each refers to its explanation.";

/// Declares the failures of an operation: a type that can stand among its `responses`.
macro_rules! problems {
    ($name:ident: $($kind:ident),+ $(,)?) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::response::Response>,
            > {
                crate::openapi::responses(&[$(inventory_http::ProblemType::$kind),+])
            }
        }
    };
}
pub(crate) use problems;

/// The failures of these kinds, one response a status.
pub(crate) fn responses(kinds: &[ProblemType]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ProblemType>> = BTreeMap::new();
    for kind in kinds {
        by_status.entry(kind.status().as_u16()).or_default().push(*kind);
    }
    by_status
        .into_iter()
        .map(|(status, kinds)| (status.to_string(), RefOr::T(response(status, &kinds))))
        .collect()
}

fn response(status: u16, kinds: &[ProblemType]) -> Response {
    let about: Vec<_> =
        kinds.iter().map(|kind| format!("{} (`{}`)", kind.title(), kind.reference())).collect();
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let seconds = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let problem = Content::new(Some(Ref::from_schema_name(ProblemDocument::name())));
    let response = ResponseBuilder::new().description(about.join("; ")).content(MEDIA_TYPE, problem);
    match status {
        401 => response.header("WWW-Authenticate", Header::new(text())),
        412 => response.header("ETag", Header::new(text())),
        429 => {
            let response = response.header("Retry-After", Header::new(seconds()));
            response.header("RateLimit-Policy", Header::new(text())).header("RateLimit", Header::new(text()))
        }
        503 => response.header("Retry-After", Header::new(seconds())),
        _ => response,
    }
    .build()
}

/// A parameter in a header.
pub(crate) fn header(
    name: &str,
    required: Required,
    about: &str,
    schema: impl Into<RefOr<Schema>>,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

/// Adds to each operation what is answered before any of them is reached: a request whose head is too long is
/// turned away at the edge, and so is one of too many.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let mut at_the_edge = responses(&[ProblemType::TargetTooLong, ProblemType::HeadersTooLarge]);
        if is_limited(path) {
            at_the_edge.extend(responses(&[ProblemType::TooManyRequests]));
        }
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.extend(at_the_edge.clone());
        }
    }
    document
}

/// What the document says before its paths.
pub(crate) fn preamble() -> OpenApi {
    let license = LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0"));
    let info = InfoBuilder::new()
        .title("Inventory")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license.build()));
    let tag = |name: &str, about: &str| TagBuilder::new().name(name).description(Some(about)).build();
    let mut components = Components::new();
    components.add_security_scheme(
        BEARER,
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("An API token, created with `inventory token create NAME`"))
                .build(),
        ),
    );
    let mut schemas = Vec::new();
    ProblemDocument::schemas(&mut schemas);
    components.schemas.insert(ProblemDocument::name().into_owned(), ProblemDocument::schema());
    components.schemas.extend(schemas);
    OpenApiBuilder::new()
        .info(info)
        .tags(Some([
            tag("components", "The kinds of parts that the organisation stocks"),
            tag("events", "The event stream"),
            tag("health", "Whether the service works"),
            tag("documentation", "The documentation of the API"),
        ]))
        .security(Some([SecurityRequirement::new(BEARER, [] as [&str; 0])]))
        .components(Some(components))
        .build()
}
