-- The rules of one client code and place that all share: who asks the CDN next, and what it brought.
--
--   root         hash: v (the version of this layout), sha, content, etag, made (when the artifact says that it was made),
--                serial (larger with each that is published), checked (when the CDN last answered), retry (not before
--                that), fails (answers in a row that were of no use)
--   root:lease   who asks the CDN now
--
-- Moments are milliseconds of the server's clock. One that lies ahead is of before that was set, and means nothing.
local root, op = KEYS[1], ARGV[1]
local lease, channel = root .. ':lease', root .. ':changed'
local VERSION = '1'
local EARLY = 0.998 -- of an interval: clocks differ a little, and who comes just too early would come an interval late
local PAUSES = {500, 1500} -- between tries
local FIRST, LONGEST = 1000, 60000 -- after these, while there is nothing yet
local call = redis.call

for _, pair in ipairs({{root, 'hash'}, {lease, 'string'}}) do
  local found = call('TYPE', pair[1]).ok
  if found ~= 'none' and found ~= pair[2] then return redis.error_reply('NONSENSE ' .. pair[1]) end
end
if call('EXISTS', root) == 1 and call('HGET', root, 'v') ~= VERSION then return redis.error_reply('NONSENSE ' .. root) end

local time = call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function number(field) return tonumber(call('HGET', root, field) or '') end
local function text(field) return call('HGET', root, field) or '' end
local function whole(value) return string.format('%.0f', value) end

local function note_success()
  call('HSET', root, 'v', VERSION, 'checked', whole(now))
  call('HDEL', root, 'retry', 'fails')
  call('DEL', lease)
end

local ops = {}

-- interval, token, how long a lease lasts. Returns what to do, sha, etag, age of the last answer in ms.
function ops.look()
  local interval, token, lasts = tonumber(ARGV[2]), ARGV[3], ARGV[4]
  local sha, checked, retry = text('sha'), number('checked'), number('retry')
  local age = (checked and checked <= now) and now - checked or nil
  local is_due = sha == '' or not age or age >= interval * EARLY
  if is_due and retry and retry > now and retry - now <= math.max(interval, LONGEST) then is_due = false end
  if is_due and call('SET', lease, token, 'NX', 'PX', lasts) then
    return {'ask', sha, text('etag'), whole(age or 0)}
  end
  return {sha == '' and 'wait' or 'read', sha, '', whole(age or 0)}
end

-- token: the CDN said that nothing changed
function ops.confirm()
  if call('GET', lease) ~= ARGV[2] then return 'late' end
  note_success()
  return 'ok'
end

-- token, sha, etag, made or '', content. Returns the serial; 0 where others have newer ones.
function ops.publish()
  if call('GET', lease) ~= ARGV[2] then return 0 end
  local made, before = tonumber(ARGV[5]), number('made')
  local is_older = made and before and made < before
  local serial = 0
  if not is_older then
    serial = math.max((number('serial') or 0) + 1, now)
    call('HSET', root, 'sha', ARGV[3], 'etag', ARGV[4], 'made', ARGV[5], 'serial', whole(serial), 'content', ARGV[6])
  end
  note_success()
  if not is_older then call('PUBLISH', channel, ARGV[3]) end
  return whole(serial)
end

-- token, interval: the CDN did not answer, or with what cannot be used
function ops.fail()
  if call('GET', lease) ~= ARGV[2] then return 'late' end
  local fails = (number('fails') or 0) + 1
  local pause = PAUSES[fails]
  if not pause and text('sha') ~= '' then
    pause, fails = tonumber(ARGV[3]), 0
  elseif not pause then
    pause = math.min(FIRST * 2 ^ (fails - #PAUSES - 1), LONGEST)
  end
  call('HSET', root, 'v', VERSION, 'fails', whole(fails), 'retry', whole(now + pause))
  call('DEL', lease)
  return 'ok'
end

-- how large it may be
function ops.read()
  if call('HSTRLEN', root, 'content') > tonumber(ARGV[2]) then return {'large'} end
  return {'content', text('sha'), text('content'), text('made'), text('serial')}
end

return ops[op]()
