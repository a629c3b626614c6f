//! Streams and groups: who reads what, and when it is done with.

use super::*;

on_both_logs!(
    ids_grow_and_ranges_are_inclusive,
    the_newest_ids_are_found_from_the_end,
    a_new_group_reads_from_the_beginning,
    groups_do_not_see_each_others_progress,
    what_is_not_acknowledged_is_taken_again_after_subscribing_anew,
    what_is_acknowledged_never_comes_back,
    an_append_wakes_a_waiting_reader,
    a_reader_waits_no_longer_than_it_said,
    an_entry_without_a_subject_is_in_the_lane_of_its_stream,
    a_stream_that_was_emptied_goes_on_with_higher_ids,
    a_removed_entry_is_done_with,
    progress_is_told_for_each_group,
    an_entry_without_an_event_is_delivered_as_such,
    many_entries_are_paged,
    what_is_acknowledged_up_to_an_id_has_no_pending_entry_before_it,
);

async fn ids_grow_and_ranges_are_inclusive(fixture: Fixture) {
    let log = &fixture.log;
    let ids = fixture.publish(&["a"; 5]).await;
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!(log.length(STREAM).await.unwrap(), 5);
    assert_eq!(log.length("socar.none").await.unwrap(), 0);
    let found = |entries: Vec<Entry>| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
    let all = log
        .range(STREAM, EntryId::MIN, EntryId::MAX, 100)
        .await
        .unwrap();
    assert_eq!(all[0].fields, event("a", 1));
    assert_eq!(found(all), ids);
    assert_eq!(
        found(log.range(STREAM, ids[1], ids[3], 100).await.unwrap()),
        ids[1..4]
    );
    assert_eq!(
        found(log.range(STREAM, ids[1].next(), ids[4], 2).await.unwrap()),
        ids[2..4]
    );
    assert!(log.remove(STREAM, ids[2]).await.unwrap());
    assert!(!log.remove(STREAM, ids[2]).await.unwrap());
    assert_eq!(log.range(STREAM, ids[2], ids[2], 1).await.unwrap(), []);
}

async fn the_newest_ids_are_found_from_the_end(fixture: Fixture) {
    let log = &fixture.log;
    let ids = fixture.publish(&["a"; 5]).await;
    let newest = async |up_to, limit| log.newest_ids(STREAM, up_to, limit).await.unwrap();
    assert_eq!(newest(EntryId::MAX, 2).await, [ids[4], ids[3]]);
    assert_eq!(newest(ids[2], 100).await, [ids[2], ids[1], ids[0]]);
    assert_eq!(newest(ids[0].previous(), 100).await, []);
    assert_eq!(newest(EntryId::MIN, 100).await, []);
    log.remove(STREAM, ids[2]).await.unwrap();
    assert_eq!(newest(ids[3], 2).await, [ids[3], ids[1]]);
    assert_eq!(
        log.newest_ids("socar.none", EntryId::MAX, 2).await.unwrap(),
        []
    );
}

async fn a_new_group_reads_from_the_beginning(fixture: Fixture) {
    fixture.publish(&["a", "b", "c"]).await;
    let consumer = fixture.subscribed("message", "host").await;
    let taken = fixture.claim(&consumer).await;
    assert_eq!(numbers(&taken), [1, 2, 3]);
    assert_eq!(taken[0].attempts, 0);
    assert_eq!(taken[0].due_in, Duration::ZERO);
    assert_eq!(fixture.claim(&consumer).await, []);
}

async fn groups_do_not_see_each_others_progress(fixture: Fixture) {
    let message = fixture.subscribed("message", "host").await;
    let viewpage = fixture.subscribed("viewpage", "host").await;
    fixture.publish(&["a", "b"]).await;
    let taken = fixture.claim(&message).await;
    fixture.acknowledge(&message, &taken).await;
    assert_eq!(numbers(&fixture.claim(&viewpage).await), [1, 2]);
}

async fn what_is_not_acknowledged_is_taken_again_after_subscribing_anew(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    fixture.publish(&["a", "b", "a"]).await;
    let taken = fixture.claim(&consumer).await;
    fixture.acknowledge(&consumer, &taken[..1]).await;
    fixture.log.append(STREAM, &event("a", 4)).await.unwrap();
    fixture.log.subscribe(&consumer).await.unwrap();
    let again = fixture.claim(&consumer).await;
    assert_eq!(numbers(&again), [2, 3, 4]);
    assert_eq!(again[0], taken[1]);
}

async fn what_is_acknowledged_never_comes_back(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    fixture.publish(&["a", "b"]).await;
    let taken = fixture.claim(&consumer).await;
    fixture.acknowledge(&consumer, &taken).await;
    fixture.acknowledge(&consumer, &taken).await;
    fixture.log.subscribe(&consumer).await.unwrap();
    assert_eq!(fixture.claim(&consumer).await, []);
    let gone = fixture
        .log
        .record_failure("message", &taken[0].position, "late", AT_ONCE)
        .await;
    assert_eq!(gone.unwrap(), None);
    let gone = fixture
        .log
        .park("message", &taken[0].position, "late", 1)
        .await;
    assert_eq!(gone.unwrap(), None);
    assert_eq!(fixture.letters().await, []);
}

async fn an_append_wakes_a_waiting_reader(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let log = fixture.log.clone();
    let waiting =
        tokio::spawn(async move { log.claim(&consumer, 10, LONG_TIMEOUT).await.unwrap() });
    // Appends until the reader is woken: it may not have begun to wait at the first.
    while !waiting.is_finished() {
        fixture.publish(&["a"]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(number(&waiting.await.unwrap()[0]), 1);
}

async fn a_reader_waits_no_longer_than_it_said(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let wait = Duration::from_millis(50);
    let began = std::time::Instant::now();
    assert_eq!(fixture.log.claim(&consumer, 10, wait).await.unwrap(), []);
    assert!(
        began.elapsed() >= wait && began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}

async fn an_entry_without_a_subject_is_in_the_lane_of_its_stream(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let events = [
        "{}",
        "no json",
        r#"{"subject":7}"#,
        r#"{"subject":"car/1","z":[{}]}"#,
        r#"{"subject":"\u00e9"}"#,
        "\u{feff}{\"subject\":\"car/2\"}",
    ];
    for text in events {
        let fields = vec![(EVENT_FIELD.to_owned(), Bytes::from(text))];
        fixture.log.append(STREAM, &fields).await.unwrap();
    }
    let lanes: Vec<_> = fixture
        .claim(&consumer)
        .await
        .into_iter()
        .map(|d| d.lane.to_string())
        .collect();
    assert_eq!(
        lanes,
        [
            "socar.car\n",
            "socar.car\n",
            "socar.car\n",
            "socar.car\ncar/1",
            "socar.car\né",
            "socar.car\ncar/2",
        ]
    );
}

async fn a_stream_that_was_emptied_goes_on_with_higher_ids(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let mut last = EntryId::MIN;
    for round in 1..=20 {
        let id = fixture
            .log
            .append(STREAM, &event("a", round))
            .await
            .unwrap();
        assert!(id > last);
        last = id;
        let taken = fixture.claim(&consumer).await;
        assert_eq!(numbers(&taken), [round]);
        fixture.acknowledge(&consumer, &taken).await;
        fixture.log.remove(STREAM, id).await.unwrap();
    }
}

async fn a_removed_entry_is_done_with(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let ids = fixture.publish(&["a", "a"]).await;
    fixture.claim(&consumer).await;
    fixture.log.remove(STREAM, ids[0]).await.unwrap();
    fixture.log.subscribe(&consumer).await.unwrap();
    assert_eq!(numbers(&fixture.claim(&consumer).await), [2]);
    assert_eq!(fixture.state("message").await.pending, 1);
}

async fn progress_is_told_for_each_group(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    fixture.subscribed("viewpage", "host").await;
    fixture.publish(&["a", "b", "c"]).await;
    let taken = fixture.log.claim(&consumer, 2, AT_ONCE).await.unwrap();
    fixture.acknowledge(&consumer, &taken[..1]).await;
    let state = fixture.state("message").await;
    assert_eq!((state.pending, state.lag), (1, 1));
    assert!(state.silence < Some(Duration::from_secs(60)));
    let state = fixture.state("viewpage").await;
    assert_eq!((state.pending, state.lag), (0, 3));
    let lag = async |stream, group| fixture.log.lag(stream, group).await.unwrap();
    assert_eq!(lag(STREAM, "message").await, Some(1));
    assert_eq!(lag(STREAM, "viewpage").await, Some(3));
    assert_eq!(lag(STREAM, "other").await, None);
    assert_eq!(lag("socar.none", "message").await, None);
    assert_eq!(fixture.log.groups("socar.none").await.unwrap(), []);
}

async fn an_entry_without_an_event_is_delivered_as_such(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    let fields = vec![("something".to_owned(), Bytes::from_static(b"else"))];
    fixture.log.append(STREAM, &fields).await.unwrap();
    let taken = fixture.claim(&consumer).await;
    assert_eq!(taken[0].event, None);
    let id = fixture.parked(&consumer, &taken[0], "no event").await;
    assert_eq!(
        dead_letters::show(&*fixture.log, id)
            .await
            .unwrap()
            .unwrap()
            .event,
        ""
    );
}

async fn many_entries_are_paged(fixture: Fixture) {
    let consumer = fixture.subscribed("message", "host").await;
    fixture.publish(&["a"; 500]).await;
    let mut all = Vec::new();
    loop {
        let page = fixture.log.claim(&consumer, 100, AT_ONCE).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 100);
        all.extend(numbers(&page));
    }
    assert_eq!(all, (1..=500).collect::<Vec<_>>());
}

async fn what_is_acknowledged_up_to_an_id_has_no_pending_entry_before_it(fixture: Fixture) {
    let up_to = async || {
        let up_to = fixture.log.acknowledged_up_to(STREAM, "message").await;
        up_to.unwrap()
    };
    assert_eq!(up_to().await, None);
    let consumer = fixture.subscribed("message", "host").await;
    assert_eq!(up_to().await, Some(EntryId::MIN));
    let ids = fixture.publish(&["a", "b", "c", "d"]).await;
    assert_eq!(up_to().await, Some(EntryId::MIN), "nothing is claimed");
    let claimed = fixture.claim(&consumer).await;
    let before = |id: EntryId| id.previous();
    let first = up_to().await.unwrap();
    assert!(first <= before(ids[0]), "everything is pending: {first}");
    fixture.acknowledge(&consumer, &claimed[1..2]).await;
    assert!(up_to().await.unwrap() <= before(ids[0]));
    fixture.acknowledge(&consumer, &claimed[..1]).await;
    let second = up_to().await.unwrap();
    assert!(ids[1] <= second && second <= before(ids[2]), "{second}");
    // A failed entry is pending until its last attempt, and a parked one is not.
    let failed = &claimed[2].position;
    let recorded = fixture
        .log
        .record_failure("message", failed, "sick", Duration::ZERO);
    recorded.await.unwrap();
    fixture.acknowledge(&consumer, &claimed[3..]).await;
    assert!(up_to().await.unwrap() <= before(ids[2]));
    fixture.parked(&consumer, &claimed[2], "sick").await;
    assert_eq!(up_to().await, Some(ids[3]));
}
