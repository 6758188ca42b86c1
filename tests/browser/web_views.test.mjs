// Most people who tap an ad see the shop in a web view inside an app: WebKit on an iPhone, Chromium on Android. Each app
// has its own user agent. The tests use these user agents and remove the features that the web views do not have.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { init, report } from './call.mjs';
import { inBrowsers } from './in_browsers.mjs';

const iPhone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148';
const android = 'Mozilla/5.0 (Linux; Android 14; SM-A546E Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36';

const apps = {
  webkit: {
    TikTok: `${iPhone} trill_351005 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/vi Region/VN RevealType/Dialog isDarkMode/0 WKWebView/1 BytedanceWebview/d8a21c6`,
    Facebook: `${iPhone} [FBAN/FBIOS;FBAV/470.0.0.40.105;FBBV/612345678;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.5;FBSS/3;FBID/phone;FBLC/vi_VN;FBOP/5]`,
    Zalo: `${iPhone} Zalo iOS/510 ZaloTheme/light ZaloLanguage/vn`,
  },
  chromium: {
    TikTok: `${android} trill_350103 JsSdk/1.0 NetType/4G Channel/googleplay AppName/trill app_version/35.1.3 ByteLocale/vi-VN Region/VN BytedanceWebview/d8a21c6`,
    Facebook: `${android} [FB_IAB/FB4A;FBAV/470.0.0.38.86;IABMV/1;]`,
    Zalo: `${android} Zalo android/12100736 ZaloTheme/light ZaloLanguage/vi`,
  },
};

/**
 * The features that web views lack. A web view on an iPhone has no service workers and no caches. A web view on Android has
 * no storage if its app does not switch storage on.
 */
const limits = {
  webkit: () => {
    for (const [owner, name] of [[Navigator.prototype, 'serviceWorker'], [window, 'caches'], [window, 'Notification'], [window, 'open']]) delete owner[name];
  },
  chromium: () => {
    for (const name of ['localStorage', 'sessionStorage', 'Notification']) Object.defineProperty(window, name, { value: null });
  },
};

inBrowsers(['chromium', 'webkit'], (scene) => {
  for (const [app, userAgent] of Object.entries(apps[scene.name])) {
    test(`in the web view of ${app} an event reaches both legs with its click, and one is not lost when the app closes it`, async () => {
      const { stack } = scene;
      const visitor = await scene.visitor({ userAgent });
      const page = await visitor.open(`${stack.fixture}?ttclid=E.C.P.view`, (page) => page.evaluateOnNewDocument(limits[scene.name]));
      await init(page, stack.config);
      const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
      const [{ user }] = await stack.bothLegs(eventId);
      assert.deepEqual([user.user_agent, user.ttclid], [userAgent, 'E.C.P.view']);

      const last = await page.evaluate(() => window.duet.trackDualEvent('ClickButton').eventId);
      await page.close();
      const [{ signals }] = await stack.serverLeg(last);
      assert.ok(signals.some(({ channel }) => channel === 'server'));
    });
  }
});
