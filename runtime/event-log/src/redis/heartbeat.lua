-- KEYS: the streams. ARGV: group, consumer, session, timeout of a consumer in milliseconds.
-- Returns the number of entries that were taken over, or nil if this session was evicted.
local group, me = ARGV[1], ARGV[2]
if not is_current(group, me, ARGV[3]) then
    return false
end
local consumers = key_of(group, 'consumers')
local now = milliseconds()
redis.call('ZADD', consumers, now, me)
local taken_over = 0
local timed_out = string.format('(%.0f', now - tonumber(ARGV[4]))
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', consumers, '-inf', timed_out)) do
    for _, stream in ipairs(KEYS) do
        for _, ticket in ipairs(pending_of(group, silent, stream)) do
            local id = entry_of(ticket)
            redis.call('XCLAIM', stream, group, me, 0, id, 'JUSTID')
            redis.call('RPUSH', inbox_of(group, me), ticket)
            local lane = redis.call('HGET', key_of(group, 'pending'), ticket)
            local count = lane and owner_of(group, lane) or 0
            if count > 0 then
                set_owner(group, lane, count, me)
            end
            taken_over = taken_over + 1
        end
        redis.call('XGROUP', 'DELCONSUMER', stream, group, silent)
    end
    redis.call('DEL', inbox_of(group, silent))
    redis.call('ZREM', consumers, silent)
    redis.call('HDEL', key_of(group, 'sessions'), silent)
end
return taken_over
