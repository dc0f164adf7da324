//! The command palette.

use serde_json::json;

use crate::visitor::Site;

const PALETTE: &str = "/admin/palette";

#[tokio::test]
async fn a_few_letters_find_a_component_and_what_begins_with_them_comes_first() {
    for site in Site::each().await {
        for (name, sku) in [
            ("A holder for 74hc00", "1"),
            ("74HC00", "2"),
            ("74HC007", "hc"),
            ("B", "74hc00"),
            ("<img onerror=\"x\">", "3"),
        ] {
            site.create(json!({"name": name, "sku": sku})).await;
        }
        let mut viewer = site.viewer().await;
        let found = async |viewer: &mut crate::visitor::Visitor<'_>, asked: &str| {
            let page = viewer.get(&format!("{PALETTE}?q={asked}")).await;
            let links = page.text().split("<a href=\"/admin/components/").skip(1);
            let names = links
                .map(|link| link.split_once("<span>").unwrap().1.split_once("</span>").unwrap().0.to_owned());
            names.filter(|name| name != "New component").collect::<Vec<_>>()
        };
        assert_eq!(found(&mut viewer, "74hc00").await, ["B", "74HC00", "74HC007", "A holder for 74hc00"]);
        assert_eq!(found(&mut viewer, "holder+hc00").await, ["A holder for 74hc00"]);
        assert_eq!(found(&mut viewer, "hc").await[0], "74HC007", "the one of exactly this sku");
        assert_eq!(found(&mut viewer, "onerror").await, ["&#60;img onerror=&#34;x&#34;&#62;"]);
        site.fill(30).await;
        let page = viewer.get(&format!("{PALETTE}?q=part")).await;
        assert_eq!(page.text().matches("<small>").count(), 8);
        page.assert_has(&["<a href=\"/admin/components?q=part\"><span>All matching components</span>"]);
    }
}

#[tokio::test]
async fn pages_and_actions_are_those_that_the_role_may_use() {
    for site in Site::each().await {
        let (mut viewer, mut editor) = (site.viewer().await, site.editor().await);
        let page = editor.get(PALETTE).await;
        page.assert_has(&[
            "<a href=\"/admin/components\"><span>Components</span>",
            "<span>New component</span>",
            "<span>Sign out</span>",
            "<input type=\"hidden\" name=\"theme\" value=\"dark\">",
        ]);
        let page = viewer.get(PALETTE).await;
        assert!(page.has("<span>Home</span>") && !page.has("New component"));
        let page = viewer.get(&format!("{PALETTE}?q=DARK+the")).await;
        assert!(page.has("<span>Theme: dark</span>") && !page.has("<span>Theme: light</span>"));
        viewer.get(&format!("{PALETTE}?q=nothing-like-it")).await.assert_has(&["No matches."]);
        // The same page without a script: the form of an action works.
        let page = viewer.follow("/admin/theme", &[("theme", "dark"), ("next", "/admin/palette")]).await;
        page.assert_has(&["data-theme=\"dark\""]);
        let long = "x".repeat(300);
        viewer.get(&format!("{PALETTE}?q={long}")).await.assert_has(&["No matches."]);
        assert_eq!(site.stranger().get(PALETTE).await.location(), "/admin/sign-in?next=/admin/palette");
    }
}
