//! The Lua scripts of the log: each call of a group is one atomic script.

use std::sync::LazyLock;

use redis::Script;

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(include_str!("common.lua"), "\n", include_str!($file)))
        });)*
    };
}

scripts! {
    SUBSCRIBE = "subscribe.lua";
    CLAIM = "claim.lua";
    ACKNOWLEDGE = "acknowledge.lua";
    RECORD_FAILURE = "record_failure.lua";
    PARK = "park.lua";
    REDRIVE = "redrive.lua";
    HEARTBEAT = "heartbeat.lua";
    LEAVE = "leave.lua";
    DELETE_GROUP = "delete_group.lua";
    GROUPS = "groups.lua";
    TRIM = "trim.lua";
    NEWEST_IDS = "newest_ids.lua";
}
