//! What the list is narrowed by: filters with counts, and dates from years to days.

use axum::http::StatusCode;
use inventory_core::Clock;
use inventory_store::Config;
use serde_json::json;
use time::macros::datetime;

use crate::{
    database::TestDatabase,
    visitor::{COMPONENTS, Site},
};

const FILTERS: &str = "/admin/components/filters";
const CREATED: &str = "/admin/components/dates/created_at";

#[tokio::test]
async fn filters_have_counts_and_keep_the_rest_of_the_list() {
    for site in Site::each().await {
        for number in 0..12 {
            site.create(json!({
                "name": format!("n{number}"), "manufacturer": format!("Maker {number}"), "unit": "reel",
                "tags": if number % 2 == 0 { vec!["even", "<b>"] } else { vec![] }, "currency": "EUR",
            }))
            .await;
        }
        let mut viewer = site.viewer().await;
        let list = viewer.get("/admin/components?q=n&tags=even&sort=name").await;
        list.assert_has(&[
            "data-load=\"/admin/components/filters?q=n&#38;tags=even&#38;sort=name\"",
            "data-load=\"/admin/components/dates/created_at?q=n&#38;tags=even&#38;sort=name\"",
        ]);
        let page = viewer.get(&format!("{FILTERS}?q=n&tags=even&sort=name")).await;
        page.assert_has(&[
            "<input type=\"hidden\" name=\"q\" value=\"n\"><input type=\"hidden\" name=\"sort\" value=\"name\">",
            "name=\"tags\" id=\"tags-even\" value=\"even\" checked> <span>even</span><span class=\"n\">6</span>",
            "<span>&#60;b&#62;</span><span class=\"n\">6</span>",
            "value=\"reel\"> <span>reel</span><span class=\"n\">6</span>",
            "value=\"token:robot\"",
            "No SKU",
        ]);
        assert!(!page.has("Maker 1<"), "a maker of odd ones is offered");
        // What a column has more of is on a separate page.
        let page = viewer.get(&format!("{FILTERS}?sort=name")).await;
        page.assert_has(&["href=\"/admin/components/filters/manufacturer?sort=name\""]);
        assert_eq!(page.text().matches("name=\"manufacturer\"").count(), 9, "any, and eight makers");
        let page = viewer.get("/admin/components/filters/manufacturer?sort=name&manufacturer=Maker+1").await;
        page.assert_has(&["href=\"/admin/components?sort=name&#38;manufacturer=Maker%2011\"", "Maker 0<"]);
        let page = viewer.get("/admin/components/filters/tags?tags=even").await;
        page.assert_has(&["href=\"/admin/components?tags=even&#38;tags=%3Cb%3E\""]);
        for (query, count) in [
            ("sku__isnull=true", 12),
            ("barcode__isnull=true&tags=even", 6),
            ("updated_by=token:robot", 12),
            ("currency=USD", 0),
            ("min_quantity__gte=1", 0),
        ] {
            assert_eq!(viewer.get(&format!("{COMPONENTS}?{query}")).await.names().len(), count, "{query}");
        }
        let missing = viewer.get(&format!("{FILTERS}/name")).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
        // A wrong filter has no counts, and is not passed over.
        let wrong = viewer.get(&format!("{FILTERS}?unit_cost__gte=cheap")).await;
        assert!(!wrong.has("value=\"reel\""));
    }
}

#[tokio::test]
async fn dates_lead_from_years_to_a_day_that_is_one_chip() {
    for database in TestDatabase::each() {
        let clock = Clock::fixed(datetime!(2023-12-31 23:59 UTC));
        let config = Config { clock: clock.clone(), ..Config::new(database.url()) };
        let site = Site::over(config, database, inventory::Options::default()).await;
        for (at, name) in [
            (datetime!(2023-12-31 23:59 UTC), "eve"),
            (datetime!(2024-02-29 12:00 UTC), "leap"),
            (datetime!(2024-03-01 00:00 UTC), "first"),
            (datetime!(2024-03-01 23:59 UTC), "night"),
        ] {
            clock.set(at);
            site.create(json!({"name": name, "unit": name})).await;
        }
        let mut viewer = site.viewer().await;
        let entry = |address: &str, words: &str, count: u32| {
            format!(
                "href=\"/admin/components?{address}\" data-swap=\"#list\"><span>{words}</span> <span class=\"n\">{count}</span>"
            )
        };
        let years = viewer.get(CREATED).await;
        years.assert_has(&[
            &entry("created_at__gte=2023-01-01&#38;created_at__lte=2023-12-31", "2023", 1),
            &entry("created_at__gte=2024-01-01&#38;created_at__lte=2024-12-31", "2024", 3),
        ]);
        let year = "created_at__gte=2024-01-01&created_at__lte=2024-12-31";
        let months = viewer.get(&format!("{CREATED}?{year}&sort=name")).await;
        months.assert_has(&[
            &entry("sort=name&#38;created_at__gte=2024-02-01&#38;created_at__lte=2024-02-29", "February", 1),
            &entry("sort=name&#38;created_at__gte=2024-03-01&#38;created_at__lte=2024-03-31", "March", 2),
            "<a href=\"/admin/components?sort=name\" data-swap=\"#list\" id=\"created_at-in-1\">All years</a>",
        ]);
        let day = "created_at__gte=2024-03-01&created_at__lte=2024-03-01";
        let days = viewer.get(&format!("{CREATED}?{day}&unit=night")).await;
        days.assert_has(&["aria-current=\"true\"><span>1 March</span> <span class=\"n\">1</span>"]);
        let list = viewer.get(&format!("{COMPONENTS}?{day}&sort=name")).await;
        assert_eq!(list.names(), ["first", "night"]);
        list.assert_has(&[
            "<span class=\"chip\">Created on 1 March 2024 <a href=\"/admin/components?sort=name\"",
            "<summary>Filters (1)</summary>",
        ]);
        let changed = viewer.get("/admin/components/dates/updated_at").await;
        changed.assert_has(&[&entry("updated_at__gte=2023-01-01&#38;updated_at__lte=2023-12-31", "2023", 1)]);
        let missing = viewer.get("/admin/components/dates/name").await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
    }
}
