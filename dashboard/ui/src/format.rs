//! Numbers and times for reading. Times are in the viewer's zone.

use js_sys::Date;
use wasm_bindgen::JsValue;

fn date(ms: i64) -> Date {
    Date::new(&JsValue::from_f64(ms as f64))
}

/// `14:03:22`, in the viewer's zone.
pub fn time(ms: i64) -> String {
    let d = date(ms);
    format!("{:02}:{:02}:{:02}", d.get_hours(), d.get_minutes(), d.get_seconds())
}

/// The same with date and zone, for a hover.
pub fn time_in_full(ms: i64) -> String {
    String::from(date(ms).to_string())
}

/// `40 s`, `3 min`, `2 h`, `5 days`; a point in the future counts as 0.
pub fn span(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match s {
        0..=119 => format!("{s} s"),
        120..=7199 => format!("{} min", s / 60),
        7200..=172_799 => format!("{} h", s / 3600),
        _ => format!("{} days", s / 86_400),
    }
}

/// `93 %`.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// `+2.1`, `−0.8` (with a true minus, which is as wide as the plus).
pub fn signed(value: f64) -> String {
    if value < 0.0 { format!("−{:.1}", -value) } else { format!("+{value:.1}") }
}

/// Three figures that matter: `0.0213`, `412`, `1.50 M`, `512 Mi` is left to the unit in the series' name.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size == 0.0 => "0".to_owned(),
        _ if size >= 1e9 => format!("{:.2} G", value / 1e9),
        _ if size >= 1e6 => format!("{:.2} M", value / 1e6),
        _ if size >= 1e4 => format!("{:.1} k", value / 1e3),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// `cart` of `east/shop/cart`.
pub fn short_service(service: &str) -> String {
    service.rsplit('/').next().unwrap_or(service).to_owned()
}

/// `east/shop` of `east/shop/cart`.
pub fn place(service: &str) -> String {
    service.rsplit_once('/').map(|(place, _)| place.to_owned()).unwrap_or_default()
}

/// The first twelve digits: enough to tell two acts apart at a glance; the whole is in the dialog.
pub fn short_digest(digest: &str) -> String {
    digest.chars().take(12).collect()
}
