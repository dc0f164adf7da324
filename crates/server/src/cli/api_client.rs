//! A running server, spoken to over HTTP.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use indicatif::ProgressBar;
use inventory_core::{Component, ComponentId, Sku};
use inventory_store::{ComponentOperation, VersionPrecondition};
use reqwest::{Client, RequestBuilder, StatusCode, Url, redirect};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::attempt::Attempt;
use crate::{config::Server, outcome::Misconfigured, secret};

/// Connect timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Response timeout. It covers the largest batch.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);
/// How many components a page holds.
pub(crate) const PAGE: usize = 200;
/// How many ids or skus one request asks for, so that its URL stays short enough.
const IN_LIST: usize = 100;

/// The API of a server.
pub(crate) struct ApiClient {
    client: Client,
    components: Url,
    token: String,
}

/// A page as the API answers it, as far as it is of interest here.
#[derive(Deserialize)]
struct Page {
    items: Vec<Component>,
    next_cursor: Option<String>,
}

/// A problem (RFC 9457) as the API answers it, as far as it is of interest here.
#[derive(Deserialize, Default)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    errors: Vec<ProblemError>,
}

#[derive(Deserialize)]
struct ProblemError {
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    detail: String,
}

impl ApiClient {
    /// How many operations the API carries out together.
    pub(crate) const MAX_OPERATIONS: usize = 20_000;

    pub(crate) fn new(url: &Url, options: &Server) -> anyhow::Result<Self> {
        let token = match (&options.token, &options.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(path)) => secret::read("INVENTORY_TOKEN_FILE", path)?,
            (None, None) => bail!(Misconfigured(
                "--url needs an API token: give --token, INVENTORY_TOKEN or INVENTORY_TOKEN_FILE".to_owned()
            )),
        };
        ensure!(
            matches!(url.scheme(), "http" | "https"),
            Misconfigured(format!("--url must begin with http:// or https://, and is {url}"))
        );
        let mut base = url.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            // The token is for this server, not for one that it names.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            components: base.join("api/v1/components")?,
            token: token.expose_secret().to_owned(),
        })
    }

    pub(crate) async fn find(
        &self,
        ids: &[ComponentId],
        skus: &[Sku],
        progress: &ProgressBar,
    ) -> anyhow::Result<Vec<Component>> {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        // A comma separates the values of a list, so a sku that holds one is asked for by itself.
        let (single, listed): (Vec<_>, Vec<_>) =
            skus.iter().map(Sku::as_str).partition(|sku| sku.contains(','));
        let listed: Vec<_> = listed.chunks(IN_LIST).map(|chunk| (chunk.len(), chunk.join(","))).collect();
        let requests = ids
            .chunks(IN_LIST)
            .map(|chunk| ("id__in", chunk.len(), chunk.join(",")))
            .chain(listed.into_iter().map(|(count, list)| ("sku__in", count, list)))
            .chain(single.into_iter().map(|sku| ("sku", 1, sku.to_owned())));
        let mut found = Vec::new();
        for (filter, count, value) in requests {
            let page = self.list(&[("limit", &IN_LIST.to_string()), (filter, &value)]).await?;
            found.extend(page.items);
            progress.inc(count as u64);
        }
        Ok(found)
    }

    pub(crate) async fn page(
        &self,
        cursor: Option<&str>,
    ) -> anyhow::Result<(Vec<Component>, Option<String>)> {
        let limit = PAGE.to_string();
        let mut parameters = vec![("limit", limit.as_str()), ("sort", "id")];
        parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
        let Page { items, next_cursor } = self.list(&parameters).await?;
        Ok((items, next_cursor))
    }

    async fn list(&self, parameters: &[(&str, &str)]) -> anyhow::Result<Page> {
        let mut url = self.components.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        match self.send(self.client.get(url)).await? {
            (status, body) if status.is_success() => {
                serde_json::from_slice(&body).context("the server's answer is not a page of components")
            }
            (status, body) => Err(refused(status, &body)),
        }
    }

    pub(crate) async fn write(&self, operations: &[ComponentOperation]) -> anyhow::Result<Attempt> {
        let mut url = self.components.clone();
        url.path_segments_mut().map_err(|()| anyhow!("--url cannot be extended by a path"))?.push("batch");
        let operations = operations.iter().map(batch_operation).collect::<anyhow::Result<Vec<_>>>()?;
        let request = self.client.post(url).json(&json!({ "operations": operations }));
        match self.send(request).await? {
            (status, _) if status.is_success() => Ok(Attempt::Done),
            // Someone changed what an operation is about between the question and this.
            (
                status @ (StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND),
                body,
            ) => Ok(Attempt::Overtaken(refusals(status, &body))),
            (status, body) => Err(refused(status, &body)),
        }
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let response = request.bearer_auth(&self.token).send().await.context("the server does not answer")?;
        let status = response.status();
        let body = response.bytes().await.context("the server's answer broke off")?;
        Ok((status, body.to_vec()))
    }
}

fn batch_operation(operation: &ComponentOperation) -> anyhow::Result<Value> {
    match operation {
        ComponentOperation::Create(component) => Ok(json!({ "op": "create", "component": component })),
        ComponentOperation::Update { id, expected: VersionPrecondition::OneOf(versions), patch }
            if versions.len() == 1 =>
        {
            Ok(json!({ "op": "update", "id": id, "version": versions[0], "patch": patch }))
        }
        _ => bail!("an import only creates components and updates known versions"),
    }
}

/// The problem in an answer that is not a success; where it is none, the status has to do.
fn problem(status: StatusCode, body: &[u8]) -> Problem {
    let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    if problem.detail.is_empty() {
        problem.detail = if problem.title.is_empty() { status.to_string() } else { problem.title.clone() };
    }
    problem
}

/// Which operations were refused, and why. The pointers are like `/operations/5/component/sku`.
fn refusals(status: StatusCode, body: &[u8]) -> Vec<(usize, String)> {
    let Problem { title: _, detail, errors } = problem(status, body);
    let mut refusals: Vec<_> = errors
        .into_iter()
        .filter_map(|error| {
            let index = error.pointer.strip_prefix("/operations/")?.split('/').next()?.parse().ok()?;
            Some((index, error.detail))
        })
        .collect();
    if refusals.is_empty() {
        refusals.push((usize::MAX, detail));
    }
    refusals
}

fn refused(status: StatusCode, body: &[u8]) -> anyhow::Error {
    let Problem { title: _, detail, errors } = problem(status, body);
    let errors: Vec<_> =
        errors.iter().take(5).map(|error| format!("{} {}", error.pointer, error.detail)).collect();
    let errors = if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) };
    anyhow!("the server answered {status}: {detail}{errors}")
}
