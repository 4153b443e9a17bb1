(() => {
  // The card stays on this face until the widgets are on the page, or says what went wrong.
  const PATIENCE_SECONDS = 45;
  const boot = document.getElementById("loading");
  let failed = false;
  const fail = (text) => {
    if (failed || document.querySelector(".hlp-page")) return;
    failed = true;
    boot.classList.add("boot-failed");
    boot.removeAttribute("aria-busy");
    document.getElementById("boot-title").textContent = "■ The page could not start";
    document.getElementById("boot-text").textContent = text;
    const reload = document.getElementById("boot-reload");
    reload.hidden = false;
    reload.addEventListener("click", () => window.location.reload());
  };
  const finish = () => {
    watch.disconnect();
    window.clearTimeout(timer);
    boot.remove();
    document.getElementById("rendered_cells").classList.remove("boot-waiting");
  };
  window.hlpairsBootFailed = fail;
  window.voila_process = () => {};
  window.voila_heartbeat = () => {};
  // Voila would take this face away before the first widget is drawn.
  window.display_cells = () => {
    window.cellLoaded = true;
  };
  window.voila_finish = window.display_cells;
  const watch = new MutationObserver(() => {
    if (!failed && document.querySelector(".hlp-page .hlp-card .hlp-surface :first-child")) finish();
  });
  watch.observe(document.documentElement, { childList: true, subtree: true });
  const timer = window.setTimeout(
    () => fail("Its process or its connection did not come up in time. Is the dashboard still running?"),
    PATIENCE_SECONDS * 1000,
  );
  window.addEventListener("load", () => {
    if (!window.cellLoaded && !window.themeLoaded && !document.getElementById("jupyter-config-data")) {
      fail("The answer broke off before the page's process was up. Is the dashboard still running?");
    }
  });
})();
