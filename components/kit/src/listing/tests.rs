use super::*;
use crate::{
    change_error::ChangeError, http::Request, memory::MemoryPlatform, numbering::allocate,
};
use futures::executor::block_on;

/// A list of numbers, of which some have no row.
struct Numbers {
    platform: MemoryPlatform,
    missing: Vec<u64>,
    deleted: Vec<u64>,
}

fn numbers(count: u64, missing: &[u64]) -> Numbers {
    let platform = MemoryPlatform::new();
    for _ in 0..count {
        block_on(allocate(&platform, |number| number.to_string())).unwrap();
    }
    Numbers {
        platform,
        missing: missing.to_vec(),
        deleted: Vec::new(),
    }
}

impl Numbers {
    fn list(&self, query: &str) -> Result<(Vec<u64>, u64), ListError<StoreError>> {
        let mut request = Request::default();
        *request.uri_mut() = format!("/numbers?{query}").parse().unwrap();
        let page = Page::without_filters(&request, &["id", "value"]).unwrap();
        let look_up = async |number| {
            Ok(match () {
                () if self.missing.contains(&number) => Lookup::Missing,
                () if self.deleted.contains(&number) => Lookup::Deleted,
                () => Lookup::Found(number),
            })
        };
        block_on(list(
            &self.platform,
            &page,
            "id",
            look_up,
            |_, one, other| one.cmp(other),
        ))
    }
}

#[test]
fn a_page_is_full_although_a_crash_left_numbers_unused() {
    let numbers = numbers(10, &[2, 3, 9]);
    assert_eq!(numbers.list("size=3").unwrap(), (vec![1, 4, 5], 8));
    assert_eq!(numbers.list("size=3&page=1").unwrap(), (vec![6, 7, 8], 8));
    assert_eq!(numbers.list("size=3&page=2").unwrap(), (vec![10], 7));
    assert_eq!(numbers.list("size=1&sort=id,desc").unwrap(), (vec![10], 7));
}

#[test]
fn the_newest_row_is_found_behind_many_unused_numbers() {
    let unused: Vec<u64> = (6..=300).collect();
    let numbers = numbers(300, &unused);
    assert_eq!(numbers.list("size=1&sort=id,desc").unwrap().0, [5]);
    assert_eq!(numbers.list("size=10").unwrap(), (vec![1, 2, 3, 4, 5], 5));
}

/// Between the two lists, a sweep or a slow call gives the suspected number a row.
#[test]
fn a_suspected_number_is_listed_as_soon_as_it_has_a_row() {
    let mut numbers = numbers(5, &[2]);
    numbers.list("size=5").unwrap();
    numbers.missing.clear();
    assert_eq!(numbers.list("size=5").unwrap(), (vec![1, 2, 3, 4, 5], 5));
}

#[test]
fn a_deleted_number_is_replaced_too() {
    let mut numbers = numbers(5, &[]);
    numbers.deleted = vec![1, 2];
    assert_eq!(numbers.list("size=2").unwrap(), (vec![3, 4], 3));
    assert_eq!(numbers.list("size=2&page=1").unwrap(), (vec![5], 3));
}

#[test]
fn only_a_short_list_is_sorted_by_another_column() {
    let short = numbers(MAX_SORTED, &[]);
    assert_eq!(
        short.list("size=1&sort=value,desc").unwrap().0,
        [MAX_SORTED]
    );
    let long = numbers(MAX_SORTED + 1, &[]);
    let refused = long.list("size=1&sort=value,desc").unwrap_err();
    assert_eq!(Problem::from(refused).status, 400);
    assert_eq!(
        long.list("size=1&sort=id,desc").unwrap().0,
        [MAX_SORTED + 1]
    );
}

#[test]
fn the_problem_of_a_row_that_cannot_be_read_names_its_number() {
    let platform = numbers(5, &[]).platform;
    let index = NumberIndex::new(&platform, "value", 1);
    for number in 1..=5 {
        block_on(index.add(number)).unwrap();
    }
    let read = async |number| match number {
        3 => Err(ChangeError::Corrupt("thing/3".into(), "no JSON".into())),
        number => Ok::<_, ChangeError<Problem>>(number),
    };
    let found = async |number| read(number).await.map(Lookup::Found);
    let shown = async |number| read(number).await.map(Some);
    let page = |query: &str| {
        let mut request = Request::default();
        *request.uri_mut() = format!("/numbers?{query}").parse().unwrap();
        Page::without_filters(&request, &["id", "value"]).unwrap()
    };
    let compare = |_: &str, one: &u64, other: &u64| one.cmp(other);
    for query in ["", "sort=value", "sort=id,desc"] {
        let page = page(query);
        let all = block_on(list(&platform, &page, "id", found, compare)).unwrap_err();
        let of_index = list_index(&index, &page, "id", shown, None, compare);
        for error in [all, block_on(of_index).unwrap_err()] {
            let response = Problem::from(error).into_response("/numbers");
            assert_eq!(response.status(), 500, "{query}");
            let body = String::from_utf8_lossy(response.body()).into_owned();
            assert!(body.contains("problems/corrupt-state"), "{body}");
            assert!(body.contains("with id 3"), "{body}");
        }
    }
    // The other pages are not affected.
    let page = page("size=2");
    let listed = block_on(list(&platform, &page, "id", found, compare)).unwrap();
    assert_eq!(listed, (vec![1, 2], 5));
}
