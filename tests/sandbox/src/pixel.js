/*
 * A Pixel for the sandbox. This script imitates the visible behaviour of TikTok's Pixel. The script processes the calls in
 * the base code's array queue, replaces the queue's methods by methods that work, and posts each event to the collector of
 * the server that served the script. The script never throws an error on the page.
 */
(function () {
  'use strict';

  var METHODS = [
    'page', 'track', 'identify', 'instances', 'debug', 'on', 'off', 'once', 'ready', 'alias', 'group',
    'enableCookie', 'disableCookie', 'holdConsent', 'revokeConsent', 'grantConsent', 'setUserProperties',
  ];
  var THIRTEEN_MONTHS_S = 390 * 24 * 60 * 60;
  var TTP_CHARACTERS = 27;
  var ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

  var script = document.currentScript;
  if (!script || !script.src) return;
  var address = new URL(script.src, location.href);
  var pixel = address.searchParams.get('sdkid');
  var ttq = window[window.TiktokAnalyticsObject || 'ttq'];
  // A queue that is not an array is not from the base code, and a pixel that was not loaded has no queue.
  if (!pixel || !Array.isArray(ttq) || !ttq._i || !ttq._i[pixel]) return;

  if (!ttq._sandbox) ttq._sandbox = start(ttq, address.origin + address.pathname.split('/i18n/')[0]);
  ttq._sandbox.adopt(pixel);

  /* The functions of the Pixel. They are all inside this function, because they share the state of the page. */
  function start(ttq, base) {
    var consent = 'granted';
    var cookies = true;
    /* Pixels whose own script has run. */
    var adopted = [];
    /* Calls on the whole queue, kept for the loaded pixels whose script has not run yet. */
    var waiting = {};
    var held = [];
    var users = {};
    var sent = 0;
    var drained = false;
    var stubInstance = ttq.instance;
    var pageviewId = randomText(20);
    var sessionId = randomText(20);
    var lastPlace = place();

    /* Methods that run once for the whole page, however many pixels it has. */
    var ONCE = {
      holdConsent: function () { consent = 'held'; },
      grantConsent: function () {
        consent = 'granted';
        keepCookies();
        held.splice(0).forEach(post);
      },
      revokeConsent: function () { consent = 'revoked'; held = []; },
      enableCookie: function () { cookies = true; keepCookies(); },
      disableCookie: function () { cookies = false; },
      ready: function (callback) {
        if (typeof callback === 'function') callback.call(ttq, ttq);
      },
    };

    /* Methods that run for each selected pixel. */
    var EACH = {
      page: function (id) { send(id, 'Pageview', {}, {}); },
      track: function (id, event, properties, options) {
        options = options || {};
        if (options.pixel_code && options.pixel_code !== id) return;
        send(id, event, properties || {}, options);
      },
      identify: function (id, first, second) {
        var fields = typeof first === 'object' ? first : second || {};
        if (typeof first === 'string') remember(id, 'external_id', first);
        Object.keys(fields || {}).forEach(function (key) { remember(id, key, fields[key]); });
      },
    };

    function remember(id, key, value) {
      if (value === null || value === undefined || String(value).trim() === '') return;
      (users[id] = users[id] || {})[key] = value;
    }

    function onAll(method, args) {
      if (ONCE[method]) return quietly(ONCE[method], args);
      if (!EACH[method]) return;
      Object.keys(ttq._i).forEach(function (id) {
        if (adopted.indexOf(id) >= 0) quietly(EACH[method], [id].concat(args));
        else (waiting[id] = waiting[id] || []).push([method].concat(args));
      });
    }

    function onOne(id, method, args) {
      if (ONCE[method]) quietly(ONCE[method], args);
      else if (EACH[method]) quietly(EACH[method], [id].concat(args));
    }

    function bind(target, call) {
      METHODS.forEach(function (method) {
        target[method] = function () { return call(method, Array.prototype.slice.call(arguments)); };
      });
      target.instances = function () {
        return adopted.map(function (id) { return ttq._i[id]; });
      };
    }

    function adopt(id) {
      if (adopted.indexOf(id) < 0) adopted.push(id);
      if (!drained) {
        drained = true;
        ttq.splice(0).forEach(function (call) { onAll(call[0], call.slice(1)); });
        bind(ttq, onAll);
        ttq.instance = function (id) {
          var known = ttq._i[id];
          return known && typeof known.track === 'function' ? known : stubInstance.call(ttq, id);
        };
        observeHistory();
      }
      var ofThisPixel = function (call) { onOne(id, call[0], call.slice(1)); };
      (waiting[id] || []).splice(0).forEach(ofThisPixel);
      ttq._i[id].splice(0).forEach(ofThisPixel);
      bind(ttq._i[id], function (method, args) { return onOne(id, method, args); });
      keepCookies();
    }

    function send(id, event, properties, options) {
      if (consent === 'revoked') return;
      sent += 1;
      var settings = (ttq._o && ttq._o[id]) || {};
      var body = {
        event: event,
        event_id: options.event_id,
        message_id: 'messageId-' + randomText(20),
        is_onsite: false,
        timestamp: new Date().toISOString(),
        properties: properties,
        auto_collected_properties: {},
        limited_data_use: settings.limited_data_use ? true : undefined,
        test_event_code: options.test_event_code,
        context: {
          ad: { callback: clickId(), sdk_env: 'external', jsb_status: 2 },
          device: { platform: /Mobi/.test(navigator.userAgent) ? 'mobile' : 'pc' },
          library: { name: 'duet-sandbox', version: '0.1.0' },
          page: { url: location.href, referrer: document.referrer || undefined, load_progress: document.readyState },
          pageview_id: pageviewId,
          session_id: sessionId,
          pixel: { code: id, codes: adopted.join('|'), runtime: '1' },
          user: Object.assign({}, users[id]),
          userAgent: navigator.userAgent,
          index: sent,
        },
        signal_diagnostic_labels: {},
      };
      // Convert the body to text at once, because the page may change its objects before consent is granted.
      var text = JSON.stringify(body);
      if (consent === 'held') held.push(text);
      else post(text);
    }

    function post(text) {
      keepCookies();
      var ttp = cookies && cookie('_ttp');
      if (ttp) {
        var body = JSON.parse(text);
        body.context.user.ttp = ttp;
        text = JSON.stringify(body);
      }
      fetch(base + '/api/v2/pixel', { method: 'POST', body: text, keepalive: true, credentials: 'omit' })
        .catch(function () { /* A lost event is lost, as with any pixel. */ });
    }

    function keepCookies() {
      if (!cookies || consent !== 'granted') return;
      setCookie('_tt_enable_cookie', '1');
      setCookie('_ttp', cookie('_ttp') || randomText(TTP_CHARACTERS));
    }

    function observeHistory() {
      var observed = function () {
        if (place() === lastPlace) return;
        lastPlace = place();
        adopted.forEach(function (id) {
          if (((ttq._o && ttq._o[id]) || {}).historyObserver !== false) quietly(EACH.page, [id]);
        });
      };
      ['pushState', 'replaceState'].forEach(function (name) {
        var original = history[name];
        history[name] = function () {
          var result = original.apply(this, arguments);
          observed();
          return result;
        };
      });
      window.addEventListener('popstate', observed);
    }

    return {
      adopt: adopt,
      /* For tests: granted, held or revoked. */
      consent: function () { return consent; },
      /* For tests: the pixels whose script has run. */
      pixels: function () { return adopted.slice(); },
    };
  }

  function quietly(work, args) {
    try {
      work.apply(null, args);
    } catch (error) {
      console.warn('sandbox pixel:', error);
    }
  }

  function place() {
    return location.pathname + location.search;
  }

  function clickId() {
    return new URLSearchParams(location.search).get('ttclid') || cookie('ttclid') || undefined;
  }

  function cookie(name) {
    var found = document.cookie.split('; ').filter(function (pair) { return pair.indexOf(name + '=') === 0; })[0];
    return found ? decodeURIComponent(found.slice(name.length + 1)) : '';
  }

  function setCookie(name, value) {
    document.cookie = name + '=' + value + '; path=/; max-age=' + THIRTEEN_MONTHS_S + '; SameSite=Lax';
  }

  function randomText(characters) {
    var bytes = crypto.getRandomValues(new Uint8Array(characters));
    return Array.prototype.map.call(bytes, function (byte) { return ALPHANUMERIC[byte % ALPHANUMERIC.length]; }).join('');
  }
})();
