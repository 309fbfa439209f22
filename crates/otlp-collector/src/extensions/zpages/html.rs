//! Tables as a page that needs nothing else.

use serde_json::Value;

use super::tables::{Row, Table};

/// A whole page.
pub(super) fn page(tables: &[Table]) -> String {
    let mut page = HEAD.to_owned();
    for it in tables {
        table(it, &mut page);
    }
    page.push_str("</body></html>\n");
    page
}

fn table(table: &Table, page: &mut String) {
    page.push_str(&format!("<h2>{}</h2>", escaped(table.title)));
    let Some(first) = table.rows.first() else {
        page.push_str("<p>none</p>\n");
        return;
    };
    // What has one row, or rows of many columns, reads better downwards.
    page.push_str("<table>\n");
    for (at, (column, _)) in first.iter().enumerate() {
        page.push_str(&format!("<tr><th>{}</th>", escaped(column)));
        table.rows.iter().for_each(|row| cell(row, at, page));
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
}

fn cell(row: &Row, at: usize, page: &mut String) {
    let text = match row.get(at).map(|(_, value)| value) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => escaped(text),
        Some(other) => escaped(&other.to_string()),
    };
    page.push_str(&format!("<td>{text}</td>"));
}

/// Text in a page is text and nothing else.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

const HEAD: &str = "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>collector</title><style>\
body{font:14px sans-serif;margin:1em}table{border-collapse:collapse}\
th,td{border:1px solid #bbb;padding:2px 8px;text-align:left;vertical-align:top}th{background:#eee}\
</style></head><body><p><a href=\"/debug/servicez\">service</a> <a href=\"/debug/pipelinez\">pipelines</a> \
<a href=\"/debug/extensionz\">extensions</a> <a href=\"/?format=json\">all as JSON</a></p>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_shown_as_text() {
        let error = "<script>alert('\"&')</script>";
        let row: Row = vec![("last error", error.into()), ("none", Value::Null)];
        let page = page(&[Table { title: "exporters", rows: vec![row] }]);
        let shown = "<td>&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;</td>";
        assert!(page.contains(shown) && !page.contains("<script"), "{page}");
        assert!(page.contains("<th>none</th><td></td>"));
    }
}
