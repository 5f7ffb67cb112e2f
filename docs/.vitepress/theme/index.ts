import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import { h } from 'vue';
import LoadBalancerDemo from './lb/LoadBalancerDemo.vue';
import HashRingDemo from './ring/HashRingDemo.vue';
import HeroRing from './ring/HeroRing.vue';
import './style.css';

const theme: Theme = {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { 'home-hero-image': () => h(HeroRing) }),
  enhanceApp({ app }) {
    app.component('HashRingDemo', HashRingDemo);
    app.component('LoadBalancerDemo', LoadBalancerDemo);
  },
};

export default theme;
