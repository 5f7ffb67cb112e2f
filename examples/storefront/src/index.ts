// What another example takes from the shop.
export { catalogue, type Shelf } from './catalogue/catalogue.ts';
export { simulatedDatabase } from './catalogue/database.ts';
export { PageViews, type View } from './catalogue/page-views.ts';
export { productCache } from './catalogue/product-cache.ts';
export { seasons } from './workload/seasons.ts';
export { shopDay } from './workload/shop-day.ts';
