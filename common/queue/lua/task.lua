-- Requests and tasks in memory, and every step between task states. States: B blocked, Q ready, D delayed, R running;
-- ended: P passed, U unverified, G parity failed, F failed, C cancelled, S skipped. Requests: P planning, A active,
-- D done, C cancelled. A script loads requests, takes steps, and writes what changed once, by flush().
local BAND = 1099511627776  -- 2^40: distance between priorities in virtual time
local HEAD = 4294967296     -- 2^32: a task's lead, once it has been served, over those never served
local SMALL = 16            -- most tasks of a request whose records are looked through instead of indexes being kept
local WAKES = 256           -- most wake-ups kept a class
local FIELDS = 2000         -- most arguments of one command
local LETTERS = {'B', 'Q', 'D', 'R', 'P', 'U', 'G', 'F', 'C', 'S'}
local ENDED = {P = true, U = true, G = true, F = true, C = true, S = true}
local RECORD = '^(%a)\n(%d+)\n(%d+)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)$'
local STATUS = '^(%a) (%-?%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'
local ABOUT = '^([^\n]*)\n(%d+)\n(%d+)\n(%d+)\n(%d+)\n(%d+)\n([^\n]*)\n([^\n]*)\n([^\n]*)$'

local loaded = {}  -- id → request, or false

-- A request as read, or as it is to be written: what the steps and flush() keep account of.
local function add_request(r)
  r.key, r.large = P .. 'request:' .. r.id, r.tasks > SMALL
  r.known, r.written, r.fields, r.woken = {}, {}, {}, {}  -- tasks; of those the changed ones; other fields; ready tasks by class
  r.was_open, r.told = r.open, r.version
  loaded[r.id] = r
  return r
end

local function decode(record)
  local t = {}
  t.state, t.version, t.attempts, t.class, t.cost, t.blocked_by, t.worker, t.token, t.result, t.reason, t.progress, t.kills =
    string.match(record, RECORD)
  return t
end

local function encode(t)
  return table.concat({t.state, t.version, t.attempts, t.class, t.cost, t.blocked_by, t.worker, t.token, t.result,
                       t.reason, t.progress, t.kills}, '\n')
end

-- The request, or nil. Loaded once a script; its task `index` along with it.
local function request(id, index)
  if loaded[id] ~= nil then return loaded[id] or nil end
  local f = call('HMGET', P .. 'request:' .. id, 'st', 'ab', 'sp', 'dl', 'cr', index or '0')
  loaded[id] = false
  if not f[1] then return nil end
  local r = {id = id, spec = f[3], deadline = tonumber(f[4] or 0), why = f[5] or 'cancelled', counts = {}}
  local s = {string.match(f[1], STATUS)}
  r.state, r.priority, r.version, r.open = s[1], tonumber(s[2]), tonumber(s[3]), tonumber(s[4])
  for i, letter in ipairs(LETTERS) do r.counts[letter] = s[4 + i] end
  r.tenant, r.tasks, r.bytes, r.created_at, r.retain, r.sequence, r.classes, r.digest, r.idempotency =
    string.match(f[2], ABOUT)
  r.tasks, r.bytes, r.retain = tonumber(r.tasks), tonumber(r.bytes), tonumber(r.retain)
  add_request(r)
  r.known[index or '0'] = f[6] and decode(f[6])
  return r
end

local function status(r)
  local c = r.counts
  return string.format('%s %d %d %d %d %d %d %d %d %d %d %d %d %d', r.state, r.priority, r.version, r.open, c.B, c.Q, c.D,
                       c.R, c.P, c.U, c.G, c.F, c.C, c.S)
end

local function about(r)
  return table.concat({r.tenant, r.tasks, string.format('%d', r.bytes), r.created_at, string.format('%d', r.retain),
                       r.sequence, r.classes, r.digest, r.idempotency}, '\n')
end

-- Loads tasks `from` to `to`, those that are there.
local function load_tasks(r, from, to)
  local indexes = {}
  for i = from, to do
    local index = string.format('%d', i)
    if r.known[index] == nil then indexes[#indexes + 1] = index end
  end
  if not indexes[1] then return end
  local records = call('HMGET', r.key, unpack(indexes))
  for i, index in ipairs(indexes) do r.known[index] = records[i] and decode(records[i]) or false end
end

-- The task, or nil: one table a script.
local function task(r, index)
  if r.known[index] == nil then
    local record = call('HGET', r.key, index)
    r.known[index] = record and decode(record) or false
  end
  return r.known[index] or nil
end

-- One step of one task: its record, its version, the request's counts.
local function step(r, index, t, to)
  if t.state then r.counts[t.state] = r.counts[t.state] - 1 end
  r.counts[to] = r.counts[to] + 1
  if ENDED[to] then r.open = r.open - 1 end
  r.version = r.version + 1
  t.state, t.version = to, string.format('%d', r.version)
  r.known[index], r.written[index], r.changed = t, t, true
end

-- Where a ready task stands in its flow.
local function place(index, t)
  return tonumber(index) - (t.attempts ~= '0' and HEAD or 0)
end

-- The first ready tasks of a class: two, or all.
local function ready(r, class)
  if r.large then return call('ZRANGE', P .. 'ready:' .. class .. ':' .. r.id, '0', '1') end
  local found = {}
  load_tasks(r, 0, r.tasks - 1)
  for index, t in pairs(r.known) do
    if t and t.state == 'Q' and t.class == class then found[#found + 1] = index end
  end
  table.sort(found, function(a, b) return place(a, r.known[a]) < place(b, r.known[b]) end)
  return found
end

local function count_ready(r, class)
  return r.large and call('ZCARD', P .. 'ready:' .. class .. ':' .. r.id) or #ready(r, class)
end

local function make_ready(r, index, t)
  step(r, index, t, 'Q')
  if r.large then call('ZADD', P .. 'ready:' .. t.class .. ':' .. r.id, place(index, t), index) end
  r.woken[t.class] = (r.woken[t.class] or 0) + 1
end

-- The tasks that task `index` holds up; they are forgotten to be so.
local function unblock(r, index)
  local cells = {}
  if not r.large then
    load_tasks(r, 0, r.tasks - 1)
    for i = 0, r.tasks - 1 do
      local cell = string.format('%d', i)
      if task(r, cell) and task(r, cell).blocked_by == index then cells[#cells + 1] = cell end
    end
    return cells
  end
  for cell in string.gmatch(call('HGET', P .. 'blocked:' .. r.id, index) or '', '%d+') do cells[#cells + 1] = cell end
  if cells[1] then call('HDEL', P .. 'blocked:' .. r.id, index) end
  return cells
end

-- Ends a task. What it blocks opens if it passed or is unverified, and else fails for the same reason.
local function finish(r, index, t, to, result, reason)
  t.result, t.reason, t.progress = result, reason, ''
  step(r, index, t, to)
  if t.blocked_by ~= '' or tonumber(r.counts.B) == 0 then return end
  for _, cell in ipairs(unblock(r, index)) do
    local c = task(r, cell)
    if c and c.state == 'B' then
      if to == 'P' or to == 'U' then
        make_ready(r, cell, c)
      else
        c.reason = reason
        step(r, cell, c, 'F')
      end
    end
  end
end

local function release(token)
  call('ZREM', P .. 'leases', token)
  call('HDEL', P .. 'tokens', token)
end

-- Whether a worker that shows `token` owns the running task.
local function owns(t, token)
  return t.state == 'R' and t.token == token
end

-- A task that waits for its time waits no more.
local function undelay(r, index, t)
  call('ZREM', P .. 'delayed', index .. ':' .. r.id)
  call('ZREM', P .. 'elsewhere:' .. t.class, index .. ':' .. r.id)
end

-- A class that has tasks is last in turn from now on.
local function go_last(class)
  call('ZADD', P .. 'live', call('HINCRBY', KEYS[1], 'turn', '1'), class)
end

local function wake(class, count)
  local entries = {}
  for i = 1, math.min(count, WAKES - call('LLEN', P .. 'wake:' .. class)) do entries[i] = '1' end
  if entries[1] then call('LPUSH', P .. 'wake:' .. class, unpack(entries)) end
end

-- Where a flow joins those of its tenant, class and priority: one task behind the first, so that whoever waits is served before all who come later.
-- Where there is none, at the time that the last one left behind.
local function flow_time(flows, tenant, class, priority)
  local band = -priority * BAND
  local first = call('ZRANGE', flows, band, string.format('(%.0f', band + BAND), 'BYSCORE', 'LIMIT', '0', '1', 'WITHSCORES')[2]
  if first then return first - band + 1 end
  return tonumber(call('HGET', tenant, 'c:' .. class .. ':' .. priority) or 0)
end

-- Puts the request's flow among its tenant's in `class`, and the tenant among those served, neither before those already
-- there, and wakes `count` workers.
local function join(r, class, count)
  local flows, tenants, tenant = P .. 'flows:' .. class .. ':' .. r.tenant, P .. 'tenants:' .. class, P .. 'tenant:' .. r.tenant
  if r.new or not call('ZSCORE', flows, r.id) then
    local own = tonumber(not r.new and call('HGET', r.key, 'vt:' .. class) or 0)
    call('ZADD', flows, math.max(flow_time(flows, tenant, class, r.priority), own) - r.priority * BAND, r.id)
  end
  if not call('ZSCORE', tenants, r.tenant) then
    local clock = call('ZRANGE', tenants, '0', '0', 'WITHSCORES')[2] or call('HGET', P .. 'clock', class)
    local own = tonumber(call('HGET', tenant, 'vt:' .. class) or 0)
    call('ZADD', tenants, math.max(tonumber(clock or 0), own), r.tenant)
    if not clock then call('HSET', P .. 'clock', class, 0) end  -- depth.lua finds the classes there
    if not call('ZSCORE', P .. 'live', class) then go_last(class) end
  end
  wake(class, count)
end

-- What the farm and the tenant's quotas count, after a request's open tasks were `was` and are `is`.
local function count_open(r, was, is)
  if was == is then return end
  call('HINCRBY', KEYS[1], 'open', is - was)
  call('HINCRBY', P .. 'tenant:' .. r.tenant, 'o', is - was)
  if r.bytes > 0 and (was == 0 or is == 0) then
    call('HINCRBY', P .. 'tenant:' .. r.tenant, 'by', is == 0 and -r.bytes or r.bytes)
  end
end

-- What the steps so far mean for the farm: the request may have ended, tasks may have become ready.
local function settle(r)
  if r.open == 0 and r.was_open > 0 then
    if r.state == 'A' then r.state = 'D' end
    call('ZADD', P .. 'ended', now() + r.retain, r.id)
    if r.deadline > 0 then call('ZREM', P .. 'deadlines', r.id) end
  end
  count_open(r, r.was_open, r.open)
  r.was_open = r.open
  if r.state == 'A' then
    for class, count in pairs(r.woken) do join(r, class, count) end
  end
  r.woken = {}
end

local function call_in_parts(command, key, values)
  for from = 1, #values, FIELDS do call(command, key, unpack(values, from, math.min(from + FIELDS - 1, #values))) end
end

-- Settles and writes every request that changed: the last thing a script does.
local function flush()
  for _, r in pairs(loaded) do
    if r and r.changed then
      settle(r)
      local fields, versions = {'st', status(r)}, {}
      for field, value in pairs(r.fields) do
        fields[#fields + 1] = field
        fields[#fields + 1] = value
      end
      for index, t in pairs(r.written) do
        fields[#fields + 1] = index
        fields[#fields + 1] = encode(t)
        versions[#versions + 1] = t.version
        versions[#versions + 1] = index
      end
      call_in_parts('HSET', r.key, fields)
      if r.large then call_in_parts('ZADD', P .. 'versions:' .. r.id, versions) end
      -- Nobody knows of a request that this script made.
      if not r.new and r.version > r.told then call('PUBLISH', P .. 'changes:' .. r.id, r.version) end
      r.changed, r.written, r.fields, r.told, r.new = false, {}, {}, r.version, false
    end
  end
end

