//! Sends what a button means.

use crate::wire::{Act, ActAnswer};
use leptos::prelude::window;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestInit, Response};

/// A key under which one press is answered once, however often it is sent.
pub fn request_id() -> String {
    let mut bytes = [0u8; 16];
    let drawn = window().crypto().ok().and_then(|crypto| crypto.get_random_values_with_u8_array(&mut bytes).ok());
    if drawn.is_none() {
        bytes.iter_mut().for_each(|byte| *byte = (js_sys::Math::random() * 256.0) as u8);
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Posts an act; the error is a sentence that says what to do.
pub async fn post(path: &str, act: &Act) -> Result<(), String> {
    match try_post(path, act).await {
        Ok(answer) if answer.done => Ok(()),
        Ok(answer) => Err(answer.message),
        Err(_) => Err("The dashboard's server did not answer. Press again: it is done once.".to_owned()),
    }
}

async fn try_post(path: &str, act: &Act) -> Result<ActAnswer, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", "application/json")?;
    headers.set("x-picket", "1")?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&JsValue::from_str(&serde_json::to_string(act).map_err(|error| JsValue::from_str(&error.to_string()))?));
    let response: Response = JsFuture::from(window().fetch_with_str_and_init(path, &init)).await?.dyn_into()?;
    let text = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
    // What is not JSON was turned away before it came to the coordinator, and says why in plain text.
    Ok(serde_json::from_str(&text).unwrap_or(ActAnswer { done: false, message: text }))
}
