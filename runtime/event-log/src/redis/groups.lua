-- KEYS: the stream. Returns rows of {group, pending, lag, milliseconds since the latest heartbeat or nil,
-- milliseconds since a consumer read the stream or nil}.
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then
    -- The stream does not exist.
    return {}
end

-- Redis 7 knows the lag itself, unless entries were removed from the middle of the stream.
local function lag_after(id)
    local lag = 0
    local from = '(' .. id
    repeat
        local page = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', PAGE)
        lag = lag + #page
        if #page > 0 then
            from = '(' .. page[#page][1]
        end
    until #page < PAGE
    return lag
end

-- Returns the milliseconds since the latest heartbeat or leave of a consumer.
local function silence(group)
    local now = milliseconds()
    correct_heartbeats(group, LONGEST_TIMEOUT, now)
    local sole = sole_of(group)
    if sole and is_alive(group, sole) then
        -- The key expires, and the silence of this consumer counts from now on.
        redis.call('ZADD', key_of(group, 'consumers'), 'XX', now, sole)
        return 0
    end
    local newest = false
    local consumers = redis.call('ZRANGE', key_of(group, 'consumers'), 0, -1, 'WITHSCORES')
    for i = 2, #consumers, 2 do
        newest = math.max(newest or 0, math.abs(tonumber(consumers[i])))
    end
    return newest and math.max(0, now - newest)
end

-- Returns the milliseconds since a consumer of the group read the stream.
local function unread(group, silence)
    if not silence then
        return false
    end
    local now = milliseconds()
    -- An earlier version left no time: it is at latest that of the latest heartbeat.
    redis.call('HSETNX', key_of(group, 'read'), KEYS[1], now - silence)
    local read = tonumber(redis.call('HGET', key_of(group, 'read'), KEYS[1]))
    if read > now then
        -- By a clock that was set back since.
        note_read(group, KEYS)
    end
    return math.max(0, now - read)
end

local rows = {}
for _, group in ipairs(groups) do
    local name = field(group, 'name')
    local lag = field(group, 'lag') or lag_after(field(group, 'last-delivered-id'))
    local silent = silence(name)
    rows[#rows + 1] = {name, field(group, 'pending'), lag, silent, unread(name, silent)}
end
return rows
