//! The HTTP server of the twin: the routes that the scenarios use.

use std::cell::RefCell;
use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use super::answer::{self, Answer, ViewQuery};
use super::store::Store;
use super::tables::{self, Refusal};
use crate::output::print_report;

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 << 10;

/// Rows of a page without `size`.
const DEFAULT_SIZE: u32 = 20;

thread_local! {
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Car {
    car_name: String,
    car_type: String,
    amount: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reservation {
    car_id: i64,
}

/// Serves requests until the process is killed; prints the address first.
///
/// # Errors
/// When the database or the port cannot be opened.
pub fn serve(directory: &Path) -> anyhow::Result<()> {
    let store = Store::create(directory)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        print_report(format!("http://{}", listener.local_addr()?));
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let store = store.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| respond(&store, request));
                let connection = hyper::server::conn::http1::Builder::new();
                // A connection that breaks concerns its client only.
                let _ = connection
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    })
}

async fn respond(store: &Store, request: Request<Incoming>) -> anyhow::Result<Answer> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
    let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
    match (&head.method, &path[..]) {
        (&Method::POST, ["cars"]) => register(store, &body).await,
        (&Method::POST, ["reservations"]) => reserve(store, &body).await,
        (&Method::GET, ["reservations", id]) => show(store, id.parse()?),
        (&Method::PATCH, ["reservations", id]) => cancel(store, id.parse()?).await,
        (&Method::GET, ["carviews"]) => view(store, head.uri.query().unwrap_or_default()),
        _ => answer::empty(StatusCode::NOT_FOUND),
    }
}

async fn register(store: &Store, body: &Bytes) -> anyhow::Result<Answer> {
    let car: Car = serde_json::from_slice(body)?;
    let fields = json!({ "carName": car.car_name, "carType": car.car_type, "amount": car.amount, "status": "available" });
    let id = store
        .write(move |it| tables::register(it, &car.car_name, &car.car_type, car.amount))
        .await?;
    answer::resource(StatusCode::CREATED, &format!("/cars/{id}"), fields)
}

async fn reserve(store: &Store, body: &Bytes) -> anyhow::Result<Answer> {
    let Reservation { car_id } = serde_json::from_slice(body)?;
    match store.write(move |it| tables::reserve(it, car_id)).await? {
        Ok(id) => {
            let fields =
                json!({ "rsvId": id, "carId": car_id, "payId": null, "status": "reqReserve" });
            answer::resource(StatusCode::CREATED, &format!("/reservations/{id}"), fields)
        }
        Err(refusal) => refused(refusal),
    }
}

async fn cancel(store: &Store, id: i64) -> anyhow::Result<Answer> {
    match store.write(move |it| tables::cancel(it, id)).await? {
        Ok(()) => show(store, id),
        Err(refusal) => refused(refusal),
    }
}

fn show(store: &Store, id: i64) -> anyhow::Result<Answer> {
    match read(store, |it| answer::reservation(it, id))? {
        Some(body) => answer::resource(StatusCode::OK, "", body),
        None => answer::empty(StatusCode::NOT_FOUND),
    }
}

fn view(store: &Store, query: &str) -> anyhow::Result<Answer> {
    let mut parsed = ViewQuery {
        size: DEFAULT_SIZE,
        ..ViewQuery::default()
    };
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("size", size)) => parsed.size = size.parse()?,
            Some(("page", page)) => parsed.page = page.parse()?,
            Some(("sort", sort)) => parsed.by_amount = sort.starts_with("amount"),
            Some(("rsvStatus", status)) => parsed.rsv_status = Some(status.to_owned()),
            _ => {}
        }
    }
    let body = read(store, |it| answer::view(it, &parsed))?;
    answer::resource(StatusCode::OK, "", body)
}

fn refused(refusal: Refusal) -> anyhow::Result<Answer> {
    answer::empty(match refusal {
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::Conflict => StatusCode::CONFLICT,
    })
}

/// Reads with the connection of this thread.
fn read<T>(
    store: &Store,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> anyhow::Result<T> {
    READER.with_borrow_mut(|reader| {
        if reader.is_none() {
            *reader = Some(store.reader()?);
        }
        let reader = reader.as_ref().context("no connection")?;
        Ok(work(reader)?)
    })
}
