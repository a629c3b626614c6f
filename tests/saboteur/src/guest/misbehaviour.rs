//! Misbehaviours: each is one way in which a guest can harm its host.

use std::cell::Cell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use spin_sdk::http::body::stream_any;
use spin_sdk::http::{BoxBody, HeaderValue, Response, box_body};

use super::query::Query;
use super::{ActionResult, respond};

/// `?ms=`: sleeps, so that only wall-clock time passes.
pub async fn sleep(query: &Query) -> ActionResult {
    let ms = query.number("ms", 1000)?;
    eprintln!("sleeping {ms} ms");
    spin_sdk::time::sleep(Duration::from_millis(ms)).await;
    Ok(format!("slept {ms} ms"))
}

pub fn trap() -> ActionResult {
    eprintln!("about to trap, as requested");
    std::arch::wasm32::unreachable()
}

pub fn exit() -> ActionResult {
    std::process::exit(3)
}

/// Computes forever without a call to the host: only an epoch interrupt can end it.
pub fn spin() -> ActionResult {
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
    }
}

/// Polls the clock of the host forever and never waits.
pub fn poll_clock() -> ActionResult {
    eprintln!("polling the clock");
    loop {
        std::hint::black_box(Instant::now());
    }
}

/// `?count=`: sleeps this many times, for a millisecond each.
pub async fn steps(query: &Query) -> ActionResult {
    let count = query.number("count", 1_u32)?;
    for _ in 0..count {
        spin_sdk::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(format!("{count} steps"))
}

/// `?mib=`: allocates this much memory in one piece.
pub fn hoard(query: &Query) -> ActionResult {
    let mib = query.number("mib", 1_usize)?;
    let bytes = vec![1_u8; mib << 20];
    Ok(format!(
        "holds {} MiB",
        std::hint::black_box(&bytes).len() >> 20
    ))
}

/// `?kib=`: returns a body of this many kibibytes.
pub fn flood(query: &Query) -> ActionResult {
    let kib = query.number("kib", 64_usize)?;
    Ok("x".repeat(kib << 10))
}

/// `?ms=`: responds at once and stays busy for this time.
pub fn linger(query: &Query) -> ActionResult {
    let ms = query.number("ms", 1000)?;
    spin_sdk::wasip3::spawn(async move {
        let until = Instant::now() + Duration::from_millis(ms);
        while Instant::now() < until {
            spin_sdk::time::sleep(Duration::from_millis(1)).await;
        }
        eprintln!("lingered {ms} ms");
    });
    Ok("lingering".to_owned())
}

/// A part of a body.
enum Part {
    Text(&'static str),
    Trap,
}

/// `?then=stall` (or `trap`) `&length=`: a status of 200 and the first half of a body. With `length`, the header
/// announces the length of the whole body.
pub fn partial(query: &Query) -> Response<BoxBody> {
    let (mut parts, body) = stream_any(|part| match part {
        Part::Text(text) => Bytes::from_static(text.as_bytes()),
        // Evaluated only when the first half has been sent.
        Part::Trap => std::arch::wasm32::unreachable(),
    });
    // The channel has room.
    let _ = parts.try_send(Part::Text("the first half "));
    if query.get("then") == Some("trap") {
        let _ = parts.try_send(Part::Trap);
    }
    spin_sdk::wasip3::spawn(async move {
        spin_sdk::time::sleep(Duration::from_secs(3600)).await;
        drop(parts);
    });
    let mut response = respond(200, box_body(body));
    if let Some(Ok(length)) = query.get("length").map(HeaderValue::from_str) {
        response.headers_mut().insert("content-length", length);
    }
    response
}

/// The number of calls of this action in this instance: more than one shows that instances are reused.
pub fn count() -> ActionResult {
    thread_local! {
        static COUNT: Cell<u32> = const { Cell::new(0) };
    }
    Ok(COUNT
        .with(|count| {
            count.set(count.get() + 1);
            count.get()
        })
        .to_string())
}
