-- KEYS: the streams. ARGV: group, consumer, session, limit for each stream.
-- Returns nil if this session was evicted, else {number of entries left in the inbox, rows of
-- {stream, id, lane, attempts, milliseconds until due, event or nil}}.
local group, me, limit = ARGV[1], ARGV[2], tonumber(ARGV[4])
if not is_current(group, me, ARGV[3]) then
    return false
end
local now = milliseconds()
local rows = {}

local function deliver(stream, id, lane, fields)
    local failed = redis.call('HGET', key_of(group, 'failures'), ticket_of(stream, id))
    local attempts, due = 0, 0
    if failed then
        attempts, due = string.match(failed, '^(%d+) (%d+)')
    end
    local wait = math.max(0, tonumber(due) - now)
    rows[#rows + 1] = {stream, id, lane, tonumber(attempts), wait, field(fields, 'event') or false}
end

-- First the entries that are pending already: taken over, assigned to the owner of their lane, or
-- left by an earlier session.
for _ = 1, limit do
    local ticket = redis.call('LPOP', inbox_of(group, me))
    if not ticket then
        break
    end
    local id, stream = entry_of(ticket)
    local fields = fields_of(stream, id)
    if fields and is_pending(group, ticket) then
        deliver(stream, id, assign(group, ticket, me), fields)
    else
        -- The entry was acknowledged meanwhile, or removed from its stream.
        acknowledge(group, ticket)
    end
end
local left = redis.call('LLEN', inbox_of(group, me))
-- New entries may belong to lanes whose older entries are still in the inbox. While a sole consumer
-- reads without scripts, its lanes are not known.
if left > 0 or sole_of(group) then
    return {left, rows}
end

local read = {'XREADGROUP', 'GROUP', group, me, 'COUNT', limit, 'STREAMS'}
for _, stream in ipairs(KEYS) do
    read[#read + 1] = stream
end
for _ = 1, #KEYS do
    read[#read + 1] = '>'
end
local assigned = false
for _, found in ipairs(redis.call(unpack(read)) or {}) do
    local stream = found[1]
    for _, entry in ipairs(found[2]) do
        local id, fields = entry[1], entry[2]
        local lane = lane_of(stream, fields)
        local count, owner = owner_of(group, lane)
        redis.call('HSET', key_of(group, 'pending'), ticket_of(stream, id), lane)
        if owner and owner ~= me and is_consumer(group, owner) then
            -- The owner of the lane gets the entry.
            set_owner(group, lane, count + 1, owner)
            redis.call('XCLAIM', stream, group, owner, 0, id, 'JUSTID')
            redis.call('RPUSH', inbox_of(group, owner), ticket_of(stream, id))
            assigned = true
        else
            set_owner(group, lane, count + 1, me)
            deliver(stream, id, lane, fields)
        end
    end
end
if assigned then
    wake(group)
end
return {left, rows}
