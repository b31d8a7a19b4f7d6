// Draws the map of a referral from the data block of the page. Vectors only: it works with no network.
(function () {
  "use strict";
  const box = document.getElementById("map");
  const source = document.getElementById("map-data");
  if (!box || !source || !window.L) return;
  const data = JSON.parse(source.textContent);
  const rtl = document.documentElement.dir === "rtl";
  const map = L.map(box, { attributionControl: Boolean(data.tiles), scrollWheelZoom: false });
  const seen = data.options.map(function (option) { return option.at; });
  if (data.home) seen.push(data.home.at);
  if (seen.length === 0) data.districts.forEach(function (place) { seen.push(place.at); });
  map.fitBounds(L.latLngBounds(seen).pad(0.25), { maxZoom: 13, animate: false });

  function label(layer, text, options) {
    const words = document.createElement("span");
    words.dir = rtl ? "rtl" : "ltr";
    words.textContent = text;
    return layer.bindTooltip(words, options || {});
  }

  if (data.tiles) L.tileLayer(data.tiles, { maxZoom: 18 }).addTo(map);
  if (data.home) {
    // Below everything else: where only the sub-district is known the circle covers the whole view.
    const home = { radius: data.home.radius, color: "#9a6700", weight: 2, fillColor: "#f6dfa5", fillOpacity: 0.4 };
    label(L.circle(data.home.at, home).addTo(map), data.home.name);
  }
  data.rivers.forEach(function (river) {
    label(L.polyline(river.line, { color: "#7fb0d0", weight: 4 }).addTo(map), river.name, { sticky: true });
  });
  data.districts.forEach(function (place) {
    const dot = L.circleMarker(place.at, { radius: 2, color: "#8b928c", weight: 2 }).addTo(map);
    label(dot, place.name, { permanent: true, direction: "top", className: "place-label", offset: [0, -2] });
  });
  data.crossings.forEach(function (crossing) {
    const style = { radius: 5, color: "#2d6f9f", weight: 2, fillOpacity: 1, fillColor: "#ffffff" };
    if (!crossing.open) style.dashArray = "2 3";
    label(L.circleMarker(crossing.at, style).addTo(map), crossing.name);
  });
  if (data.home) {
    L.circleMarker(data.home.at, { radius: 5, color: "#9a6700", fillColor: "#f6dfa5", fillOpacity: 1 }).addTo(map);
  }
  data.options.forEach(function (option) {
    const style = { radius: 9, color: "#0c4a4a", weight: 2, fillOpacity: 1, fillColor: option.chosen ? "#0c4a4a" : "#ffffff" };
    const marker = L.circleMarker(option.at, style).addTo(map);
    label(marker, option.rank + " · " + option.name, { direction: "top", permanent: option.chosen });
    if (option.chosen) marker.bringToFront();
  });
})();
