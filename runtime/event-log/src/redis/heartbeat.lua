-- KEYS: the streams. ARGV: group, consumer, session, milliseconds of patience.
-- Answers how many entries were inherited, or nil if the consumer was given up itself.
local group, me = ARGV[1], ARGV[2]
if not is_current(group, me, ARGV[3]) then
    return false
end
local consumers = key_of(group, 'consumers')
local now = milliseconds()
redis.call('ZADD', consumers, now, me)
local inherited = 0
local silent_since = string.format('(%.0f', now - tonumber(ARGV[4]))
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', consumers, '-inf', silent_since)) do
    for _, stream in ipairs(KEYS) do
        for _, ticket in ipairs(pending_of(group, dead, stream)) do
            local id = entry_of(ticket)
            redis.call('XCLAIM', stream, group, me, 0, id, 'JUSTID')
            redis.call('RPUSH', inbox_of(group, me), ticket)
            local lane = redis.call('HGET', key_of(group, 'pending'), ticket)
            local count = lane and owner_of(group, lane) or 0
            if count > 0 then
                own(group, lane, count, me)
            end
            inherited = inherited + 1
        end
        redis.call('XGROUP', 'DELCONSUMER', stream, group, dead)
    end
    redis.call('DEL', inbox_of(group, dead))
    redis.call('ZREM', consumers, dead)
    redis.call('HDEL', key_of(group, 'sessions'), dead)
end
return inherited
