-- Functions that all scripts share, and the keys of a group.
--
-- Redis keeps the cursor of the group and the consumer of each pending entry. The keys under
-- `socar.log:<group>` keep what Redis has no place for. A ticket, "<id> <stream>", names an
-- entry in them. Times are in milliseconds since 1970, by the clock of the server. That clock may be set back, and
-- after a failover it is another one: a time after now becomes now when it is looked at (`correct_heartbeats`).
--
--   :consumers         consumer -> time of its latest heartbeat; negative, the time at which
--                      it left (sorted set). The heartbeat of a sole consumer is its key
--                      `socar.log:alive:<consumer>`, which expires. Its value is the word
--                      `sessions` and the sessions of the sole consumers of this name.
--   :sole              "<consumer> <session>" of the consumer that reads the streams without
--                      scripts, because the group has no other (string)
--   :fence:<consumer>:<session>
--                      a stream of the group that such a consumer reads beside the others: the
--                      removal of the fence ends its reads, an entry reports another consumer
--   :read              stream -> time at which a consumer of the group last read it; that of a
--                      sole consumer is up to five minutes late (hash)
--   :sessions          consumer -> its present session; scripts of earlier ones are rejected
--   :pending           ticket -> lane, for each pending entry that a script has assigned; the
--                      entries that a sole consumer has read itself are in the group only
--   :owners            lane -> "<number of assigned entries> <owner>"
--   :failures          ticket -> "<attempts> <time of the next attempt> <error>"
--   :inbox:<consumer>  tickets of pending entries that their owner has to claim (list)

if redis.replicate_commands then
    -- Before Redis 7, a script that reads the time must declare that its effects are replicated.
    redis.replicate_commands()
end

local DEAD = 'socar.dead'
local WAKE = 'socar.log:wake'
local PAGE = 1000
-- The longest command that a script gives; Lua passes at most 8000 values.
local LONGEST_COMMAND = 4000
local SESSIONS = 'sessions'
-- Not shorter than the timeout of any consumer, in milliseconds.
local LONGEST_TIMEOUT = 60 * 1000
-- Stream -> id of the newest entry that retention has removed (hash).
local TRIMMED = 'socar.log:trimmed'

local function key_of(group, name)
    return 'socar.log:' .. group .. ':' .. name
end

local function inbox_of(group, consumer)
    return key_of(group, 'inbox:' .. consumer)
end

local function fence_of(group, consumer, session)
    return key_of(group, 'fence:' .. consumer .. ':' .. session)
end

local function alive_key(consumer)
    return 'socar.log:alive:' .. consumer
end

local function redrive_stream(group)
    return 'socar.redrive.' .. group
end

local function milliseconds()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function ticket_of(stream, id)
    return id .. ' ' .. stream
end

-- Returns the id and the stream of a ticket.
local function entry_of(ticket)
    return string.match(ticket, '^(%S+) (.*)$')
end

local function fields_of(stream, id)
    local found = redis.call('XRANGE', stream, id, id)
    return found[1] and found[1][2]
end

local function field(fields, name)
    for i = 1, #fields, 2 do
        if fields[i] == name then
            return fields[i + 1]
        end
    end
    return nil
end

local function lane_of(stream, fields)
    local lane = field(fields, '@lane')
    if lane then
        return lane
    end
    local event = field(fields, 'event') or ''
    if string.sub(event, 1, 3) == '\239\187\191' then
        -- A byte order mark is no part of the event.
        event = string.sub(event, 4)
    end
    local parsed, envelope = pcall(cjson.decode, event)
    if parsed and type(envelope) == 'table' and type(envelope.subject) == 'string' then
        return stream .. '\n' .. envelope.subject
    end
    return stream .. '\n'
end

-- Returns the number of pending entries of a lane, and their owner.
local function owner_of(group, lane)
    local owner = redis.call('HGET', key_of(group, 'owners'), lane)
    if not owner then
        return 0, nil
    end
    local count, consumer = string.match(owner, '^(%d+) (.*)$')
    return tonumber(count), consumer
end

local function set_owner(group, lane, count, consumer)
    redis.call('HSET', key_of(group, 'owners'), lane, count .. ' ' .. consumer)
end

local function is_consumer(group, consumer)
    return redis.call('ZSCORE', key_of(group, 'consumers'), consumer)
end

-- Returns whether this is the present session of a consumer of the group.
local function is_current(group, consumer, session)
    return is_consumer(group, consumer)
        and redis.call('HGET', key_of(group, 'sessions'), consumer) == session
end

-- Records that a consumer of the group reads these streams.
local function note_read(group, streams)
    local now = milliseconds()
    for _, stream in ipairs(streams) do
        redis.call('HSET', key_of(group, 'read'), stream, now)
    end
end

-- Makes a consumer the owner of an entry. Returns its lane, or nil if the entry was removed.
local function assign(group, ticket, consumer)
    local id, stream = entry_of(ticket)
    local lane = redis.call('HGET', key_of(group, 'pending'), ticket)
    if lane then
        local count = owner_of(group, lane)
        set_owner(group, lane, math.max(count, 1), consumer)
        return lane
    end
    local fields = fields_of(stream, id)
    if not fields then
        return nil
    end
    lane = lane_of(stream, fields)
    redis.call('HSET', key_of(group, 'pending'), ticket, lane)
    set_owner(group, lane, owner_of(group, lane) + 1, consumer)
    return lane
end

-- Returns whether the group has claimed the entry and not acknowledged it.
local function is_pending(group, ticket)
    local id, stream = entry_of(ticket)
    local found = redis.pcall('XPENDING', stream, group, id, id, 1)
    return not found.err and #found > 0
end

-- Acknowledges an entry on behalf of the group.
local function acknowledge(group, ticket)
    local id, stream = entry_of(ticket)
    redis.call('XACK', stream, group, id)
    redis.call('HDEL', key_of(group, 'failures'), ticket)
    local lane = redis.call('HGET', key_of(group, 'pending'), ticket)
    if lane then
        redis.call('HDEL', key_of(group, 'pending'), ticket)
        local count, consumer = owner_of(group, lane)
        if count > 1 then
            set_owner(group, lane, count - 1, consumer)
        else
            redis.call('HDEL', key_of(group, 'owners'), lane)
        end
    end
    -- Only this group reads its redriven letters.
    if stream == redrive_stream(group) then
        redis.call('XDEL', stream, id)
    end
end

-- Returns the tickets of all pending entries of a consumer on a stream, in order.
local function pending_of(group, consumer, stream)
    local tickets = {}
    local from = '-'
    repeat
        local page = redis.call('XPENDING', stream, group, from, '+', PAGE, consumer)
        for _, row in ipairs(page) do
            tickets[#tickets + 1] = ticket_of(stream, row[1])
            from = '(' .. row[1]
        end
    until #page < PAGE
    return tickets
end

-- Makes a consumer the owner of all entries that are pending for it.
local function assign_pending(group, consumer, streams)
    for _, stream in ipairs(streams) do
        for _, ticket in ipairs(pending_of(group, consumer, stream)) do
            assign(group, ticket, consumer)
        end
    end
end

local function wake(group)
    redis.call('XADD', WAKE, 'MAXLEN', '=', 1, '*', 'group', group)
end

-- Ends the reads without scripts of a session.
local function remove_fence(group, consumer, session)
    if session then
        redis.call('DEL', fence_of(group, consumer, session))
        local sole = key_of(group, 'sole')
        if redis.call('GET', sole) == consumer .. ' ' .. session then
            redis.call('DEL', sole)
        end
    end
end

-- Returns the consumer and the session that read without scripts, or nil.
local function sole_of(group)
    local sole = redis.call('GET', key_of(group, 'sole'))
    if not sole then
        return nil
    end
    return string.match(sole, '^(.*) (%S+)$')
end

-- Returns whether this is the sole consumer of the group and renews its heartbeat. The host may read
-- other groups and not this one any more: then the key does not name the session.
local function is_alive(group, consumer)
    local sole, session = sole_of(group)
    local alive = sole == consumer and redis.call('GET', alive_key(consumer))
    if not alive then
        return false
    end
    -- Hosts of earlier versions name no sessions.
    return string.sub(alive, 1, #SESSIONS) ~= SESSIONS
        or string.find(alive .. ' ', ' ' .. session .. ' ', 1, true) ~= nil
end

-- Corrects the heartbeats of a group that the present clock has not reached yet. `caller` is the consumer that has just
-- recorded its own, or nil. A consumer that is alive records its
-- own again within its timeout, and one that was killed is silent after the timeout.
local function correct_heartbeats(group, timeout, now, caller)
    local consumers = key_of(group, 'consumers')
    local times = redis.call('ZRANGE', consumers, 0, -1, 'WITHSCORES')
    for i = 1, #times, 2 do
        local time = tonumber(times[i + 1])
        if math.abs(time) > now then
            redis.call('ZADD', consumers, time < 0 and -now or now, times[i])
        end
    end
    -- The only consumer of a group that calls this has just recorded its own.
    local sole = (#times > 2 or not caller) and sole_of(group)
    if sole and redis.call('PTTL', alive_key(sole)) > timeout then
        redis.call('PEXPIRE', alive_key(sole), timeout)
    end
end
