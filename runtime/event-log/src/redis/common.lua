-- Functions that all scripts share, and the keys of a group.
--
-- Redis keeps the cursor of the group and the consumer of each pending entry. The keys under
-- `socar.log:<group>` keep what Redis has no place for. A ticket, "<id> <stream>", names an
-- entry in them. Times are in milliseconds since 1970.
--
--   :consumers         consumer -> time of its latest heartbeat; negative, the time at which
--                      it left (sorted set)
--   :sessions          consumer -> its present session; scripts of earlier ones are rejected
--   :pending           ticket -> lane, for each pending entry
--   :owners            lane -> "<number of pending entries> <owner>"
--   :failures          ticket -> "<attempts> <time of the next attempt> <error>"
--   :inbox:<consumer>  tickets of pending entries that their owner has to claim (list)

if redis.replicate_commands then
    -- Before Redis 7, a script that reads the time must declare that its effects are replicated.
    redis.replicate_commands()
end

local DEAD = 'socar.dead'
local WAKE = 'socar.log:wake'
local PAGE = 1000

local function key_of(group, name)
    return 'socar.log:' .. group .. ':' .. name
end

local function inbox_of(group, consumer)
    return key_of(group, 'inbox:' .. consumer)
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
    local event = field(fields, 'event')
    local parsed, envelope = pcall(cjson.decode, event or '')
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

-- Acknowledges an entry on behalf of the group.
local function acknowledge(group, ticket)
    local id, stream = entry_of(ticket)
    redis.call('XACK', stream, group, id)
    local lane = redis.call('HGET', key_of(group, 'pending'), ticket)
    if not lane then
        return
    end
    redis.call('HDEL', key_of(group, 'pending'), ticket)
    redis.call('HDEL', key_of(group, 'failures'), ticket)
    local count, consumer = owner_of(group, lane)
    if count > 1 then
        set_owner(group, lane, count - 1, consumer)
    else
        redis.call('HDEL', key_of(group, 'owners'), lane)
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

local function wake(group)
    redis.call('XADD', WAKE, 'MAXLEN', '=', 1, '*', 'group', group)
end
