-- KEYS: the streams. ARGV: group, consumer, session, timeout of a consumer in milliseconds.
-- Returns {number of entries that were taken over, 1 if this consumer may read without scripts, else
-- 0}, or nil if this session was evicted.
local group, me, session = ARGV[1], ARGV[2], ARGV[3]
if not is_current(group, me, session) then
    return false
end
local consumers = key_of(group, 'consumers')
local now = milliseconds()
redis.call('ZADD', consumers, now, me)
note_read(group, KEYS)
correct_heartbeats(group, tonumber(ARGV[4]), now, me)

-- Makes this consumer the owner of all pending entries of another one.
local function take_over(other)
    local taken_over = 0
    for _, stream in ipairs(KEYS) do
        for _, ticket in ipairs(pending_of(group, other, stream)) do
            local id = entry_of(ticket)
            redis.call('XCLAIM', stream, group, me, 0, id, 'JUSTID')
            redis.call('RPUSH', inbox_of(group, me), ticket)
            assign(group, ticket, me)
            taken_over = taken_over + 1
        end
        redis.call('XGROUP', 'DELCONSUMER', stream, group, other)
    end
    redis.call('DEL', inbox_of(group, other))
    return taken_over
end

-- Adds this session to the heartbeat that the sole consumers of this name share.
local function note_alive()
    local alive = redis.call('GET', alive_key(me))
    if not alive or string.sub(alive, 1, #SESSIONS) ~= SESSIONS then
        alive = SESSIONS
    end
    if not string.find(alive .. ' ', ' ' .. session .. ' ', 1, true) then
        alive = alive .. ' ' .. session
    end
    redis.call('SET', alive_key(me), alive, 'PX', ARGV[4])
end

local taken_over = 0
local timed_out = string.format('(%.0f', now - tonumber(ARGV[4]))
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', consumers, '-inf', timed_out)) do
    -- A sole consumer is silent here while its key exists.
    if not is_alive(group, silent) then
        remove_fence(group, silent, redis.call('HGET', key_of(group, 'sessions'), silent))
        taken_over = taken_over + take_over(silent)
        redis.call('ZREM', consumers, silent)
        redis.call('HDEL', key_of(group, 'sessions'), silent)
    end
end

if redis.call('ZCARD', consumers) == 1 then
    -- A read that reached the server after its consumer had left may have made that consumer anew.
    for _, stream in ipairs(KEYS) do
        for _, known in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
            local other = field(known, 'name')
            if other ~= me then
                taken_over = taken_over + take_over(other)
            end
        end
    end
    redis.call('SET', key_of(group, 'sole'), me .. ' ' .. session)
    note_alive()
    redis.pcall('XGROUP', 'CREATE', fence_of(group, me, session), group, '0', 'MKSTREAM')
    return {taken_over, 1}
end

local sole = sole_of(group)
if sole == me then
    -- Another consumer has joined. It must know the owners of the lanes before it reads. A read that this
    -- consumer has not looked at may have claimed entries, so the inbox gets all of them.
    assign_pending(group, me, KEYS)
    for _, stream in ipairs(KEYS) do
        for _, ticket in ipairs(pending_of(group, me, stream)) do
            redis.call('RPUSH', inbox_of(group, me), ticket)
        end
    end
    remove_fence(group, me, session)
    wake(group)
end
return {taken_over, 0}
