//! The misbehaviours: each is one thing a sick guest can do to its host.

use std::cell::Cell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use spin_sdk::http::body::stream_any;
use spin_sdk::http::{BoxBody, HeaderValue, Response, box_body};

use super::query::Query;
use super::{Outcome, answer};

/// `?ms=`: suspended, so that the host must count wall-clock time.
pub async fn sleep(query: &Query) -> Outcome {
    let ms = query.number("ms", 1000)?;
    eprintln!("sleeping {ms} ms");
    spin_sdk::time::sleep(Duration::from_millis(ms)).await;
    Ok(format!("slept {ms} ms"))
}

pub fn trap() -> Outcome {
    eprintln!("about to trap, as asked");
    std::arch::wasm32::unreachable()
}

pub fn exit() -> Outcome {
    std::process::exit(3)
}

/// Burns the processor without ever calling the host: only an epoch can end it.
pub fn spin() -> Outcome {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

/// Asks its host for the time and never waits for anything: that is no pause.
pub fn natter() -> Outcome {
    eprintln!("nattering");
    loop {
        std::hint::black_box(Instant::now());
    }
}

/// `?count=`: waits so many times, for a millisecond each.
pub async fn steps(query: &Query) -> Outcome {
    let count = query.number("count", 1_u32)?;
    for _ in 0..count {
        spin_sdk::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(format!("{count} steps"))
}

/// `?mib=`: takes that much memory in one piece.
pub fn hoard(query: &Query) -> Outcome {
    let mib = query.number("mib", 1_usize)?;
    let bytes = vec![1_u8; mib << 20];
    Ok(format!(
        "holds {} MiB",
        std::hint::black_box(&bytes).len() >> 20
    ))
}

/// `?kib=`: answers that many kibibytes.
pub fn flood(query: &Query) -> Outcome {
    let kib = query.number("kib", 64_usize)?;
    Ok("x".repeat(kib << 10))
}

/// `?ms=`: answers at once and keeps the processor busy afterwards.
pub fn linger(query: &Query) -> Outcome {
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

/// What a body is made of.
enum Part {
    Text(&'static str),
    Trap,
}

/// `?then=stall` (or `trap`) `&length=`: a good head and half of the body. The head says how long all of it is if that is
/// asked for.
pub fn half(query: &Query) -> Response<BoxBody> {
    let (mut parts, body) = stream_any(|part| match part {
        Part::Text(text) => Bytes::from_static(text.as_bytes()),
        // Only asked for when the first half has left.
        Part::Trap => std::arch::wasm32::unreachable(),
    });
    // There is room for more.
    let _ = parts.try_send(Part::Text("the first half "));
    if query.get("then") == Some("trap") {
        let _ = parts.try_send(Part::Trap);
    }
    spin_sdk::wasip3::spawn(async move {
        spin_sdk::time::sleep(Duration::from_secs(3600)).await;
        drop(parts);
    });
    let mut half = answer(200, box_body(body));
    if let Some(Ok(length)) = query.get("length").map(HeaderValue::from_str) {
        half.headers_mut().insert("content-length", length);
    }
    half
}

/// How many orders this very instance has counted: more than one proves that instances are reused.
pub fn count() -> Outcome {
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
