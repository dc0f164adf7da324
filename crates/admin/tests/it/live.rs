//! An open page hears of what others change.

use axum::{body::Body, http::Method};
use futures::StreamExt;
use inventory_testing::Frames;
use serde_json::{Value, json};

use crate::{
    database::TestDatabase,
    visitor::{COMPONENTS, PATIENCE, Site, Visitor},
};

/// The next news of a stream; nothing where it ended.
async fn next(stream: &mut axum::body::BodyDataStream, frames: &mut Frames) -> Option<Value> {
    loop {
        if let Some(data) = frames.find_map(|frame| frame.data) {
            return Some(serde_json::from_str(&data).unwrap());
        }
        frames.push(&tokio::time::timeout(PATIENCE, stream.next()).await.expect("news in time")?.unwrap());
    }
}

#[tokio::test]
async fn changes_of_others_are_told_and_ones_own_are_not() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let since = since(editor.get(COMPONENTS).await.text());
        let request =
            editor.request(Method::GET, &format!("/admin/live?since={since}")).body(Body::empty()).unwrap();
        let response = site.respond(request).await;
        // Without this nginx collects the stream in a buffer.
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let mut stream = response.into_body().into_data_stream();
        let mut buffer = Frames::default();
        editor.follow("/admin/components/new", &[("name", "own")]).await;
        let component = site.create(json!({"name": "a"})).await;
        site.change(component.id, json!({"name": "b"})).await;
        site.delete(component.id).await;
        let id = component.id.to_string();
        for (what, name, version) in [("created", "a", 1), ("changed", "b", 2), ("deleted", "b", 2)] {
            let news = next(&mut stream, &mut buffer).await.unwrap();
            assert_eq!(
                news,
                json!({"id": id, "what": what, "name": name, "version": version, "who": "token robot"})
            );
        }
        site.app.stop_streams();
        assert_eq!(next(&mut stream, &mut buffer).await, None, "it ends with the service");
    }
}

/// The position that a page goes on from.
fn since(page: &str) -> String {
    let (_, rest) = page.split_once("data-since=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_page_whose_position_is_not_of_this_log_is_told_to_be_loaded_again() {
    for site in Site::each().await {
        let mut viewer = site.viewer().await;
        let page = viewer.get(COMPONENTS).await;
        let known = since(page.text());
        let (place, id) = known.rsplit_once('-').unwrap();
        assert_eq!((place.matches('-').count(), id.len()), (1, 8), "{known}");
        let other = if id == "00000000" { "00000001" } else { "00000000" };
        for (position, reset) in [(known.clone(), false), (format!("{place}-{other}"), true)] {
            let request = viewer.request(Method::GET, &format!("/admin/live?since={position}"));
            let response = site.respond(request.body(Body::empty()).unwrap()).await;
            assert_eq!(response.status(), 200, "{position}");
            site.create(json!({"name": "a"})).await;
            let mut stream = response.into_body().into_data_stream();
            let mut frames = Frames::default();
            let first = loop {
                if let Some(frame) = frames.find(|frame| frame.data.is_some()) {
                    break frame;
                }
                let chunk = tokio::time::timeout(PATIENCE, stream.next()).await.expect("a frame in time");
                frames.push(&chunk.unwrap().unwrap());
            };
            assert_eq!(first.event.as_deref() == Some("reset"), reset, "{position}: {first:?}");
        }
    }
}

#[tokio::test]
async fn one_user_cannot_keep_the_pages_of_others_from_being_kept_up_to_date() {
    let site = Site::on(TestDatabase::sqlite()).await;
    let (viewer, editor) = (site.viewer().await, site.editor().await);
    let open = async |visitor: &Visitor<'_>| {
        let request = visitor.request(Method::GET, "/admin/live").body(Body::empty()).unwrap();
        site.respond(request).await
    };
    let mut streams = Vec::new();
    for _ in 0..32 {
        let stream = open(&viewer).await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    assert_eq!(open(&viewer).await.status(), 400);
    assert_eq!(open(&editor).await.status(), 200);
    streams.pop();
    assert_eq!(open(&viewer).await.status(), 200);
}

#[tokio::test]
async fn a_page_says_from_where_it_goes_on() {
    for site in Site::each().await {
        let component = site.create(json!({"name": "a"})).await;
        let head = site.head().await;
        site.store.bus().published(inventory_core::Seq(head)).await;
        let mut viewer = site.viewer().await;
        for path in [COMPONENTS.to_owned(), format!("{COMPONENTS}/{}", component.id)] {
            viewer.get(&path).await.assert_has(&["data-since=\""]);
        }
        assert_eq!(site.stranger().get("/admin/live").await.status, axum::http::StatusCode::SEE_OTHER);
    }
}
